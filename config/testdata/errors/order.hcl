defaults { image = "debian:bookworm" }
box "web" {
  count = 2
  provisioner "shell" "one" {}
  provisioner "shell" "two" { before = "three" } # ERROR: Unknown provisioner
  provisioner "shell" "self" { after = "self" } # ERROR: Cycle
  provisioner "shell" "tied" { after = "one" }
  provisioner "shell" "further" { before = "tied" } # ERROR: Invalid order
  provisioner "shell" "round" { after = "about" } # ERROR: Invalid order
  provisioner "shell" "about" { after = "round" } # ERROR: Invalid order
  provisioner "shell" "both" {
    before = "one"
    after  = "one" # ERROR: Conflicting arguments
  }
  provisioner "shell" { before = "" } # ERROR: Invalid value
  provisioner "shell" { before = ["one"] } # ERROR: Wrong type
  provisioner "shell" { before = null }
  provisioner "shell" { before = "shell" } # ERROR: Unknown provisioner
}
box "named" {
  provisioner "shell" "all" {}
  provisioner "shell" { before = "all" } # ERROR: Ambiguous name
}
