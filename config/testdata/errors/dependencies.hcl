defaults { image = "debian:bookworm" }
box "a" { depends_on = ["b"] }
box "b" { depends_on = ["c"] }
box "c" { depends_on = ["a"] } # ERROR: Cycle
box "self" { depends_on = ["self"] } # ERROR: Cycle
box "typo" { depends_on = ["selff"] } # ERROR: Unknown box
box "bare" { depends_on = [a] } # ERROR: Unknown variable
