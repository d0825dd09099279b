defaults { image = "debian:bookworm" }
box "web" {
  auto_forward = "yes" # ERROR: Wrong type
  forward "Bad" { guest = 80 } # ERROR: Invalid name
  forward "none" {} # ERROR: Missing argument
  forward "values" {
    guest      = 99999 # ERROR: Out of range
    host       = -1 # ERROR: Out of range
    protocol   = "tpc" # ERROR: Invalid value
    host_ip    = "localhost" # ERROR: Invalid value
    guest_ip   = "box" # ERROR: Invalid value
    port_range = "9-1" # ERROR: Invalid value
  }
  forward "relative" {
    guest = "run/x.sock" # ERROR: Invalid value
    host  = "/tmp/a-path-that-is-too-long-for-a-unix-socket/a-path-that-is-too-long-for-a-unix-socket/a-path-that-is-too-long" # ERROR: Invalid value
  }
  forward "float" { guest = 80.5 } # ERROR: Invalid value
  forward "udp-socket" {
    guest    = "/run/x.sock"
    protocol = "udp" # ERROR: Conflicting arguments
  }
  forward "udp-reverse" {
    guest    = 5353
    host     = 5353
    protocol = "udp"
    reverse  = true # ERROR: Conflicting arguments
  }
  forward "ip-socket" {
    guest   = 80
    host    = "/tmp/x.sock"
    host_ip = "0.0.0.0" # ERROR: Conflicting arguments
  }
  forward "corrected-socket" {
    guest        = "/run/y.sock"
    guest_ip     = "127.0.0.1" # ERROR: Conflicting arguments
    host         = "/tmp/y.sock"
    auto_correct = true # ERROR: Conflicting arguments
  }
  forward "nowhere" {
    guest   = 9000
    reverse = true # ERROR: Conflicting arguments
  }
  forward "low" { # ERROR: Out of range
    guest   = 80
    host    = 8000
    reverse = true
  }
  forward "http" {
    guest = 80
    host  = 8080
  }
  forward "again" {
    guest   = 81
    host    = 8080 # ERROR: Duplicate forward
    host_ip = "0.0.0.0"
  }
  forward "back" {
    guest   = 9001
    host    = 1
    reverse = true
  }
  forward "back-again" {
    guest   = 9001 # ERROR: Duplicate forward
    host    = 2
    reverse = true
  }
}
box "addresses" {
  network "lan" { ip = "10.60.0.10/24" }
  network "any" {}
  forward "nobody" {
    guest    = 80
    guest_ip = "0.0.0.0" # ERROR: Invalid value
  }
  forward "nobody-six" {
    guest    = 80
    guest_ip = "::" # ERROR: Invalid value
  }
  forward "udp-nobody" {
    guest    = 53
    guest_ip = "::ffff:0.0.0.0" # ERROR: Invalid value
    protocol = "udp"
  }
  forward "udp-loopback" {
    guest    = 53
    guest_ip = "127.0.0.53" # ERROR: Invalid value
    protocol = "udp"
  }
  forward "udp-foreign" {
    guest    = 53
    guest_ip = "10.60.0.11" # ERROR: Invalid value
    protocol = "udp"
  }
}
box "db" {
  forward "http" {
    guest = 80
    host  = 8080 # ERROR: Duplicate forward
  }
  forward "socket" {
    guest = 80
    host  = "/tmp//x.sock" # ERROR: Duplicate forward
  }
}
box "many" {
  count = 3
  forward "same" {
    guest = 80
    host  = 8090 # ERROR: Duplicate forward
  }
}
