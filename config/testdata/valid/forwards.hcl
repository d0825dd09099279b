defaults {
  image = "debian:bookworm"
  forward "shared" {
    guest        = 80
    host         = 8080
    auto_correct = true
    port_range   = "30000-30099"
  }
}
box "web" {
  auto_forward = true
  forward "any" { guest = 80 }
  forward "zero" {
    guest = 80
    host  = 0
  }
  forward "dns" {
    guest    = 53
    host     = 5300
    protocol = "udp"
  }
  forward "dns-tcp" {
    guest = 53
    host  = 5300
  }
  forward "dns-other-address" {
    guest   = 53
    host    = 5300
    host_ip = "127.0.0.2"
  }
  forward "dns-six" {
    guest   = 53
    host    = 5300
    host_ip = "::"
  }
  forward "docker" {
    guest = "/run/docker.sock"
    host  = "${path.project}/docker.sock"
  }
  forward "mixed" {
    guest = "/run/x.sock"
    host  = "8081"
  }
  forward "license" {
    guest   = 5053
    host    = 5053
    reverse = true
  }
  forward "agent" {
    guest   = "/run/user/agent.sock"
    host    = "/tmp/agent.sock"
    reverse = true
  }
}
box "addresses" {
  network "lan" { ip = "10.60.0.10/24" }
  forward "loopback" {
    guest    = 80
    guest_ip = "127.0.0.1"
  }
  forward "elsewhere" {
    guest    = 80
    guest_ip = "10.60.0.11"
  }
  forward "udp" {
    guest    = 53
    guest_ip = "10.60.0.10"
    protocol = "udp"
  }
  forward "all" {
    guest    = 5000
    guest_ip = "0.0.0.0"
    host     = 5000
    reverse  = true
  }
}
box "db" {
  forward "license" {
    guest   = 5053
    host    = 5053
    reverse = true
  }
}
box "root" {
  ssh { user = "root" }
  forward "low" {
    guest   = 80
    host    = 5053
    reverse = true
  }
}
