defaults {
  image = "debian:bookworm"
  folder "shared" { target = "/srv/shared" }
}
box "web" {
  folder "." { target = "/work" }
  folder "x" { target = "/work/" } # ERROR: Duplicate folder
  folder "y" { target = "rel" } # ERROR: Invalid value
  folder "z" {} # ERROR: Missing argument
  folder "" { target = "/a" } # ERROR: Invalid value
  folder "~bob/x" { target = "/b" } # ERROR: Invalid value
  folder "r" { target = "/" } # ERROR: Invalid value
  folder "t" { target = "/tmp/t" } # ERROR: Invalid value
  folder "u" { target = "/run" } # ERROR: Invalid value
  folder "v" {
    target = "/v"
    type   = "nfs" # ERROR: Invalid value
  }
  folder "w" {
    target  = "/w"
    exclude = ["a"] # ERROR: Conflicting arguments
  }
  folder "c" {
    target   = "/c"
    type     = "rsync"
    readonly = true # ERROR: Conflicting arguments
    exclude  = ["ok", " "] # ERROR: Invalid value
  }
  folder "shared" { target = "/srv/shared" }
}
