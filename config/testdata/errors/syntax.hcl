box "a" {
  image = # ERROR: Invalid expression
}
box "b" { imag = "x" }
