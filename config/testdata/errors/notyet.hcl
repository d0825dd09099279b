defaults { image = "debian:bookworm" }
box "web" {
  forward "http" { guest = 80 } # ERROR: Not supported yet
  forward "none" {} # ERROR: Not supported yet # ERROR: Missing argument
  forward "bad" { # ERROR: Not supported yet
    guest    = 99999 # ERROR: Out of range
    protocol = "tpc" # ERROR: Invalid value
    host_ip  = "localhost" # ERROR: Invalid value
  }
  resources { disk = "1GiB" } # ERROR: Not supported yet
  provisioner "shell" "one" { before = "two" } # ERROR: Not supported yet # ERROR: Unknown provisioner
  provisioner "shell" { after = "all" } # ERROR: Not supported yet
  provisioner "shell" { cache = true } # ERROR: Not supported yet
}
