package config

import (
	"strings"
	"testing"
)

// Which steps come from the project alone, and why the others do not.
func TestForeign(t *testing.T) {
	const project = `
variable "plain" { default = "p" }
variable "given" { default = "p" }
variable "from_env" { default = "p" }
variable "theirs" { default = "p" }
variable "mine" {}
variable "called" { default = env("USER", "") }
variable "secret" {
  default   = "s"
  sensitive = true
}
locals {
  plain  = "x${var.plain}"
  secret = "x${local.further}"
  further = var.secret
  local  = "x"
}
defaults { image = "x" }
box "a" {
  provisioner "shell" { inline = ARGS }
}
box "site" {
  for_each = { b = var.mine }
  provisioner "shell" { inline = each.value }
}`
	for args, want := range map[string]string{
		`"text"`:                               "",
		`var.plain`:                            "",
		`["a", upper(local.plain)]`:            "",
		`var.given`:                            "it uses var.given, which is set outside the Envfile",
		`var.from_env`:                         "it uses var.from_env, which is set outside the Envfile",
		`var.theirs`:                           "it uses var.theirs, which is set outside the Envfile",
		`"${var.mine}!"`:                       "it uses var.mine, which is set outside the Envfile",
		`var["mine"]`:                          "it uses var.mine, which is set outside the Envfile",
		`[for k, v in var : k][0]`:             "it uses env()",
		`var.called`:                           "it uses env()",
		`"${local.secret}"`:                    "it uses var.secret, which is sensitive",
		`local.local`:                          "it uses local.local, which is set outside the Envfile",
		`path.project`:                         "it uses path.project",
		`upper(env("HOME", ""))`:               "it uses env()",
		`true ? "a" : trimspace(env("X", ""))`: "it uses env()",
		`box.a.ip`:                             "it uses values of boxes, whose addresses can differ",
	} {
		e, diags := Parse([]Source{
			{Name: "Envfile", Bytes: []byte(strings.Replace(project, "ARGS", args, 1))},
			{Name: "Envfile.local", Layer: LayerLocal, Bytes: []byte(`
variable "theirs" { default = "q" }
locals { local = "y" }
box "a" {
  provisioner "shell" "late" {}
}
box "own" {}`)},
		}, t.TempDir(), Options{Vars: map[string]string{"given": "g", "mine": "m"}, Getenv: func(name string) (string, bool) {
			return "e", name == "BERTH_VAR_from_env"
		}})
		if diags.HasErrors() {
			t.Fatalf("%s: %v", args, diags)
		}
		a := e.Box("a")
		if got := a.Provisioners[0].Foreign; got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
		if a.Personal || a.Provisioners[0].Personal || !a.Provisioners[1].Personal || !e.Box("own").Personal {
			t.Error("what is personal is mistaken")
		}
		if got := e.Box("site-b").Provisioners[0].Foreign; got != "it uses var.mine, which is set outside the Envfile" {
			t.Errorf("of for_each: %q", got)
		}
	}
}

// A user's own steps do not change what the project's are called.
func TestPersonalStepsComeLastInNumbers(t *testing.T) {
	e, diags := Parse([]Source{
		{Name: "mine", Layer: LayerUser, Bytes: []byte("defaults {\n  provisioner \"shell\" {}\n  provisioner \"shell\" \"log\" { before = \"each\" }\n}")},
		{Name: "Envfile", Bytes: []byte("box \"a\" {\n  image = \"x\"\n  provisioner \"shell\" {}\n}")},
	}, t.TempDir(), Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var got []string
	for _, p := range e.Boxes[0].Provisioners {
		if p.Personal {
			got = append(got, "("+p.ID()+")")
		} else {
			got = append(got, p.ID())
		}
	}
	if want := "(log@shell-2) (shell-2) (log@shell) shell"; strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", got, want)
	}
}
