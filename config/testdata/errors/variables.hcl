variable "no value" { default = 1 } # ERROR: Invalid name
variable "missing" {} # ERROR: No value for variable
variable "x" { default = 1 }
variable "x" { default = 2 } # ERROR: Duplicate variable
variable "t" {
  type    = strin # ERROR: Invalid type specification
  default = ""
}
variable "n" {
  type    = number
  default = "abc" # ERROR: Wrong type
}
variable "s" { # ERROR: Wrong type
  type      = number
  sensitive = true
  default   = "hunter2"
}
variable "v" {
  default = var.x # ERROR: Invalid reference
  secret  = true # ERROR: Unsupported argument
}
