project { name = "My Shop" } # ERROR: Invalid value
defaults { image = "debian:bookworm" }
defaults {} # ERROR: Duplicate block
box "web_1" {} # ERROR: Invalid name
box "abcdefghijklmnopqrstuvwxyz-1234" {} # ERROR: Invalid name
box "web" {}
box "web" {} # ERROR: Duplicate box
box "a" { primary = true }
box "b" { primary = true } # ERROR: Two primary boxes
box "steps" {
  provisioner "shell" "one" {}
  provisioner "shell" "one" {} # ERROR: Duplicate provisioner
  provisioner "Shell" "X" {} # ERROR: Invalid name # ERROR: Invalid name
  provisioner "shell" { run = "sometimes" } # ERROR: Invalid value
  provider "LXC" {} # ERROR: Invalid name
}
box "p" {
  provider "lxc" {}
  provider "other" {} # ERROR: Duplicate block
}
