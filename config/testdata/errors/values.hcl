box "bad" {
  image = "" # ERROR: Invalid value
  hostname = "-x" # ERROR: Invalid value
  primary = "maybe" # ERROR: Wrong type
  depends_on = "web" # ERROR: Wrong type
  env = { "1A" = "x", B = "a\nb" } # ERROR: Invalid value # ERROR: Invalid value
  resources {
    cpus = 0 # ERROR: Out of range
    cpu_weight = 1.5 # ERROR: Invalid value
    cpuset = "3-1" # ERROR: Invalid value
    memory = "15MiB" # ERROR: Out of range
    swap = -1 # ERROR: Out of range
    pids = 15 # ERROR: Out of range
    io {
      weight = 0 # ERROR: Out of range
      read = "1023" # ERROR: Out of range
      write = "1mb/s" # ERROR: Invalid size
      read_iops = 0 # ERROR: Out of range
      write_iops = "many" # ERROR: Wrong type
    }
  }
  ssh { user = "Root User" } # ERROR: Invalid value
}
