defaults { image = "debian:bookworm" }
box "web" {
  network "backend" { ip = "10.60.0.10/24" } # ERROR: Not supported yet
  network "Back" { ip = "10.60.0.0/24" } # ERROR: Not supported yet # ERROR: Invalid name # ERROR: Invalid value
  resources { disk = "1GiB" } # ERROR: Not supported yet
  provisioner "shell" "one" { before = "two" } # ERROR: Not supported yet # ERROR: Unknown provisioner
  provisioner "shell" { after = "all" } # ERROR: Not supported yet
  provisioner "shell" { cache = true } # ERROR: Not supported yet
}
