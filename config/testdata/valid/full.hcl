berth { required_version = ">= 0.1, < 2" }

variable "release" {
  type        = string
  default     = "bookworm"
  description = "Debian's name for it"
}

locals {
  greeting = "hello ${local.app}"
  app      = "shop"
}

project { name = local.app }

defaults {
  image = "debian:${var.release}"
  env   = { LANG = "C.UTF-8", APP_ENV = "none" }
  resources {
    memory = "256MiB"
    pids   = 400
  }
  provider "lxc" { mirror = "http://deb.example" }
  provisioner "shell" "base" { inline = "apt-get update" }
}

box "db" {
  hostname     = "db.example"
  autostart    = false
  boot_timeout = "90s"
  halt_timeout = "0"
  resources {
    cpus       = 1.5
    cpu_weight = 100
    cpuset     = "0-2,4"
    memory     = 536870912
    swap       = "0"
    io {
      weight     = 500
      read       = "50MiB"
      write      = "20MB"
      read_iops  = 1000
      write_iops = 500
    }
  }
}

box "web" {
  primary    = true
  depends_on = ["db", "db"]
  env        = { APP_ENV = "dev", GREETING = local.greeting }
  ssh { user = "admin" }
  provider "lxc" {
    nesting = true
    raw     = { "lxc.environment" = "A=b" }
  }
  provisioner "file" {
    source      = "site.conf"
    destination = "/etc/site.conf"
  }
  provisioner "shell" { inline = "true" }
  provisioner "shell" {
    inline = ["a", upper("b")]
    run    = "always"
  }
  message = "Open http://localhost:8080"
}
