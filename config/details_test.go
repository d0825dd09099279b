package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDetails fixes what messages say beyond their summary: the nearest right
// name, and where the other half of a conflict is.
func TestDetails(t *testing.T) {
	const src = `variable "release" { default = "bookworm" }
variable "release" { default = "trixie" }
locals {
  app = "shop"
  up  = local.down
  down = local.up
}
box "web" {
  image    = "debian:${var.relase}"
  message  = aap
  hostname = app
  primary  = true
  provisioner "shell" "one" { inline = uppr("x") }
  provisioner "shell" "one" {}
  memory = "1GiB"
  resource {}
}
box "web" {}
box "a" {
  image      = "x"
  primary    = true
  depends_on = ["wbe", "b"]
}
box "b" {
  image      = "x"
  depends_on = ["a"]
  resources = {}
  autostart = "ja"
  provisioner {}
}
`
	want := `Duplicate variable: The variable "release" is declared already, at Envfile line 1.
Cycle: The local "up" uses itself: up -> down -> up. "up" is defined at Envfile line 5.
Unknown variable: There is no variable "relase". Did you mean "release"?
Unknown variable: There is nothing named "aap". Text is written in quotes: "aap".
Unknown variable: There is nothing named "app". Did you mean "local.app"?
Unknown function: There is no function "uppr". Did you mean "upper"?
Duplicate provisioner: The box has a provisioner "one" already, at Envfile line 13.
Unsupported argument: There is no argument "memory" here. It belongs in a "resources" block.
Unsupported block: There is no block "resource" here. Did you mean "resources"?
Duplicate box: The box "web" is declared already, at Envfile line 8.
Two primary boxes: At most one box can be primary; "web" is already, at Envfile line 12.
Unknown box: There is no box "wbe". Did you mean "web"?
Cycle: These boxes wait for each other: a (Envfile line 22) -> b (Envfile line 26) -> a.
Unsupported argument: "resources" is a block: write it as "resources { ... }", without "=".
Wrong type: "autostart" must be true or false; this is a string.
Missing label: The block needs a type: write it as "provisioner TYPE { ... }".
`
	_, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte(src)}}, "", Options{})
	if diff := cmp.Diff(want, diagText(diags)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
