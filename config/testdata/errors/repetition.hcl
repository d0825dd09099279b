defaults { image = "debian:bookworm" }
variable "secret" {
  default   = "s"
  sensitive = true
}
box "half" { count = 1.5 } # ERROR: Invalid value
box "less" { count = -1 } # ERROR: Out of range
box "both" {
  count    = 1
  for_each = "x" # ERROR: Conflicting arguments # ERROR: Wrong type
}
box "keys" {
  for_each = {
    ok    = 1
    Bad_1 = 2 # ERROR: Invalid name
  }
}
box "list" {
  for_each = [
    "a",
    "a", # ERROR: Duplicate box
    null, # ERROR: Invalid value
    "abcdefghijklmnopqrstuvwxyz", # ERROR: Invalid name
  ]
}
box "hidden" { for_each = toset([var.secret]) } # ERROR: Sensitive value
box "wrong" {
  count    = 2
  hostname = each.key # ERROR: Unknown variable
  message  = count.idx # ERROR: Unknown variable
  env      = { A = "${count.index}" }
  autostart = "x" # ERROR: Wrong type
  primary  = true # ERROR: Two primary boxes
}
box "none" {
  count    = 0
  hostname = nope # ERROR: Unknown variable
  message  = "none ${count.index}"
  env      = { A = each.key } # ERROR: Unknown variable
}
box "one" { message = "${count.index}" } # ERROR: Unknown variable
box "twice" { count = 2 }
box "twice-1" {} # ERROR: Duplicate box
