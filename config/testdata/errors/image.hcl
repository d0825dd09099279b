box "web" { # ERROR: Missing image
}
box "null" { image = null } # ERROR: Missing image
