imagee = "x" # ERROR: Unsupported argument
boxes "a" {} # ERROR: Unsupported block
image {}     # ERROR: Unsupported block
box = 1      # ERROR: Unsupported argument
box {}       # ERROR: Missing label
box "a" "b" { # ERROR: Extra label
}
box "x" {
  image    = "debian:bookworm"
  imag     = "x"  # ERROR: Unsupported argument
  env { A = "b" } # ERROR: Unsupported block
  ssh = { user = "dev" } # ERROR: Unsupported argument
  resource {}     # ERROR: Unsupported block
  resources {}
  resources {} # ERROR: Duplicate block
  autostart = yes # ERROR: Unknown variable
  message   = [1] # ERROR: Wrong type
  provisioner {} # ERROR: Missing label
  provisioner "a" "b" "c" {} # ERROR: Extra label
  boot_timeout = "5" # ERROR: Invalid duration
  halt_timeout = "2h" # ERROR: Out of range
}
