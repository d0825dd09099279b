defaults { image = "debian:bookworm" }
box "web" {
  resources { disk = "1GiB" } # ERROR: Not supported yet
}
