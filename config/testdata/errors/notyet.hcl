defaults { image = "debian:bookworm" }
box "web" {
  provisioner "shell" "one" { before = "two" } # ERROR: Not supported yet # ERROR: Unknown provisioner
  provisioner "shell" { after = "all" } # ERROR: Not supported yet
  provisioner "shell" { cache = true }
}
