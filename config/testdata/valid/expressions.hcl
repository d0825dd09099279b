variable "ports" {
  type    = list(number)
  default = [80, 443]
}

variable "opts" {
  type    = object({ debug = optional(bool, false), level = optional(number, 3) })
  default = { debug = true }
}

variable "unused" {
  sensitive = true
  default   = env("NOT_SET", "fallback")
}

locals {
  names = [for p in var.ports : "port-${p}"]
  text  = <<-EOT
    %{for n in local.names~}
    ${n}
    %{endfor~}
  EOT
  level = var.opts.debug ? var.opts.level + 1 : 0
}

box "a" {
  image = join(":", ["debian", lower("BOOKWORM")])
  env = {
    NAMES = join(",", local.names)
    LEVEL = local.level
    SUM   = substr(sha256(local.text), 0, 8)
    HERE  = path.project
    NULL  = null
    LEN   = length("äöü") + length([1, 2]) + length({ a = 1 })
  }
  hostname = null
}
