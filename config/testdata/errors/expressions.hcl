locals {
  a     = local.b
  b     = local.c
  c     = local.a # ERROR: Cycle
  self  = local.self # ERROR: Cycle
  typo  = local.sefl # ERROR: Unknown variable
  whole = local # ERROR: Invalid reference
  fun   = uper("x") # ERROR: Unknown function
  args  = upper() # ERROR: Not enough function arguments
  deep  = [for a in [1] : [for b in [1] : [for c in [1] : c]]] # ERROR: Too complex
  wide  = format("%99999d", 1) # ERROR: Invalid function argument
  big   = range(100000) # ERROR: Error in function call
  huge  = "${replace("aaaaaaaaaa", "a", join("", [for i in range(1000) : format("%999s", "x")]))}" # ERROR: Error in function call
  unset = env("SURELY_NOT_SET") # ERROR: Invalid function argument
  op    = "x" + 1 # ERROR: Invalid operand
}
locals { a = 1 } # ERROR: Duplicate local
box "x" {
  image   = "debian:${vars.release}" # ERROR: Unknown variable
  message = path.hom # ERROR: Unknown variable
  provisioner "shell" {
    inline = local.nothing # ERROR: Unknown variable
    nested {
      arg = nope() # ERROR: Unknown function
    }
  }
}
