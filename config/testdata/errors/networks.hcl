defaults { image = "debian:bookworm" }
box "web" {
  network "backend" { ip = "10.60.0.10/24" }
  network "six" { ip = "fd00:60::10/64" }
  network "own" {}
  network "own" {}                            # ERROR: Duplicate network
  network "Back" {}                           # ERROR: Invalid name
  network "zone" { ip = "10.61.0.10/24" }
  network "within" { ip = "10.60.0.130/25" }  # ERROR: Networks overlap
}
box "db" {
  network "backend" { ip = "10.60.1.10/24" }  # ERROR: Address outside its network
  network "six" { ip = "fd00:60::10/64" }     # ERROR: Address taken
  network "zone" { ip = "10.61.0.11/25" }     # ERROR: Address outside its network
}
box "cache" {
  network "backend" { ip = "10.60.0.10/24" }  # ERROR: Address taken
  network "six" { ip = "10.62.0.9/24" }       # ERROR: Address outside its network
  network "own" { ip = "10.63.0.9/24" }
}
box "bad" {
  network "a" { ip = "10.70.0.1/24" }         # ERROR: Invalid value
  network "b" { ip = "10.71.0.0/24" }         # ERROR: Invalid value
  network "c" { ip = "10.72.0.255/24" }       # ERROR: Invalid value
  network "d" { ip = "10.73.0.9" }            # ERROR: Invalid value
  network "e" { ip = "10.74.0.9/31" }         # ERROR: Invalid value
  network "f" { ip = "8.8.8.8/24" }           # ERROR: Invalid value
  network "g" { ip = "192.168.0.9/8" }        # ERROR: Invalid value
  network "h" { ip = "fd00::1/64" }           # ERROR: Invalid value
  network "i" { ip = "fe80::9/64" }           # ERROR: Invalid value
}
box "many" {
  network "n0" {}
  network "n1" {}
  network "n2" {}
  network "n3" {}
  network "n4" {}
  network "n5" {}
  network "n6" {}
  network "n7" {}
  network "n8" {}
  network "n9" {}                             # ERROR: Too many networks
}
box "dual" {
  network "n1" {
    ip   = "10.80.0.9/24"
    mask = 24                                 # ERROR: Unsupported argument
  }
}
