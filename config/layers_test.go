package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, src := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLayers(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"user": `
defaults {
  env = { EDITOR = "vi", LANG = "C", GONE = "x" }
  resources { memory = "64MiB" }
  provisioner "shell" "dotfiles" {}
}
variable "a" { default = "user" }
locals { who = "user" }`,
		"Envfile": `
variable "a" { default = "envfile" }
variable "b" {
  type    = number
  default = 1
}
variable "c" { default = "envfile" }
variable "d" { default = "envfile" }
locals { who = "envfile" }
defaults {
  image = "debian:bookworm"
  env   = { LANG = "de" }
  resources {
    memory = "128MiB"
    pids   = 100
  }
  provisioner "shell" "base" {}
}
box "web" {
  env = { A = var.a, B = var.b, C = var.c, D = var.d, WHO = local.who, GONE = null }
  provisioner "shell" "own" {}
  resources { cpus = 2 }
}`,
		"Envfile.local": `
variable "b" { default = 2 }
variable "c" { default = "local" }
variable "d" { default = "local" }
locals { who = "local" }
defaults {
  resources { pids = 200 }
}
box "web" {
  hostname = "mine"
  provisioner "shell" "extra" {}
  resources { memory = "256MiB" }
}
box "extra" {}`,
	})
	env := map[string]string{"BERTH_VAR_c": "environment", "BERTH_VAR_d": "environment", "BERTH_VAR_undeclared": "x"}
	e, diags := Load(filepath.Join(dir, "Envfile"), Options{
		Vars:   map[string]string{"d": "flag"},
		Getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		User:   filepath.Join(dir, "user"),
	})
	if diags.HasErrors() {
		t.Fatal(diagText(diags))
	}
	web := e.Box("web")
	wantEnv := map[string]string{
		"EDITOR": "vi", "LANG": "de", "A": "envfile", "B": "2", "C": "environment", "D": "flag", "WHO": "local",
	}
	if diff := cmp.Diff(wantEnv, web.Env); diff != "" {
		t.Errorf("env (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Resources{CPUs: 2, Memory: 256 << 20, PIDs: 200}, web.Resources); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	var steps []string
	for _, p := range web.Provisioners {
		steps = append(steps, p.ID())
	}
	if diff := cmp.Diff([]string{"dotfiles", "base", "own", "extra"}, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if web.Hostname != "mine" || e.Box("extra") == nil || len(e.Boxes) != 2 || e.Root != dir || len(e.Files) != 3 {
		t.Errorf("hostname %q, boxes %d, root %q, files %d", web.Hostname, len(e.Boxes), e.Root, len(e.Files))
	}
	if got := web.Range("resources.memory"); filepath.Base(got.Filename) != LocalFileName {
		t.Errorf("memory is placed in %s", got.Filename)
	}
	if got := web.DeclRange; filepath.Base(got.Filename) != FileName {
		t.Errorf("the box is placed in %s", got.Filename)
	}
}

func TestLayerLimits(t *testing.T) {
	_, diags := Parse([]Source{
		{Name: "local", Layer: LayerLocal, Bytes: []byte("project { name = \"x\" }\nberth {}\n")},
		{Name: "Envfile", Bytes: []byte("defaults {\n  hostname = \"x\"\n}\n")},
		{Name: "user", Layer: LayerUser, Bytes: []byte("box \"a\" {}\nproject {}\n")},
	}, "", Options{})
	var got []string
	for _, d := range diags {
		got = append(got, d.Subject.Filename+" "+d.Summary)
	}
	want := []string{
		"user Not allowed here", "user Not allowed here", "Envfile Unsupported argument",
		"local Not allowed here", "local Not allowed here",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// A mistake in the defaults is one mistake, however many boxes there are.
func TestDefaultsReportedOnce(t *testing.T) {
	_, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte(`
defaults {
  image = nope
  resources { memory = "1B" }
}
box "a" {}
box "b" {}`)}}, "", Options{})
	if len(diags) != 2 {
		t.Errorf("%d problems:\n%s", len(diags), diagText(diags))
	}
}

func TestVariableValues(t *testing.T) {
	const decl = `
variable "v" {
  type = %TYPE%
}
box "a" {
  image = "x"
  env   = { V = jsonencode(var.v) }
}`
	tests := []struct{ ty, given, want, err string }{
		{ty: "string", given: "${x} 7", want: `"${x} 7"`},
		{ty: "number", given: "7.5", want: "7.5"},
		{ty: "bool", given: "true", want: "true"},
		{ty: "any", given: "[1]", want: `"[1]"`},
		{ty: "list(string)", given: `["a", "b"]`, want: `["a","b"]`},
		{ty: "set(number)", given: `[2, 2]`, want: `[2]`},
		{ty: "map(number)", given: `{ a = 1 }`, want: `{"a":1}`},
		{ty: "object({ a = optional(number, 4) })", given: `{}`, want: `{"a":4}`},
		{ty: "number", given: "seven", err: `The value "seven" from --var v for variable "v" is not a number`},
		{ty: "number", given: "1e999999999", err: "is not a number"},
		{ty: "list(string)", given: "a", err: "write it as in an Envfile"},
		{ty: "list(string)", given: `[upper("a")]`, err: "write it as in an Envfile"},
		{ty: "list(string)", given: strings.Repeat("[", 100000), err: "too complex"},
	}
	for _, tt := range tests {
		t.Run(tt.ty+" "+tt.given[:min(len(tt.given), 20)], func(t *testing.T) {
			src := strings.ReplaceAll(decl, "%TYPE%", tt.ty)
			e, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte(src)}}, "", Options{Vars: map[string]string{"v": tt.given}})
			switch {
			case tt.err != "":
				if !strings.Contains(diagText(diags), tt.err) {
					t.Errorf("got %q, want %q", diagText(diags), tt.err)
				}
			case diags.HasErrors() || strings.ReplaceAll(e.Boxes[0].Env["V"], " ", "") != strings.ReplaceAll(tt.want, " ", ""):
				t.Errorf("got %v %s", e.Boxes[0].Env, diagText(diags))
			}
		})
	}
}

func TestMissingValue(t *testing.T) {
	_, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte("variable \"rel\" {}\nbox \"a\" { image = \"d:${var.rel}\" }\n")}}, "",
		Options{Vars: map[string]string{"rl": "x"}})
	want := `Unknown variable: The Envfile declares no variable "rl". Did you mean "rel"?
No value for variable: The variable "rel" has no default. Give it a value in one of three ways: --var rel=VALUE, the environment variable BERTH_VAR_rel, or a default in Envfile.local.
`
	if diff := cmp.Diff(want, diagText(diags)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "Envfile", "b")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(deep); !errors.Is(err, ErrNoEnvfile) || !strings.Contains(err.Error(), deep) || !strings.Contains(err.Error(), "berth init") {
		t.Errorf("error: %v", err)
	}
	write(t, dir, map[string]string{"Envfile": ""})
	got, err := Find(deep)
	if err != nil || got != filepath.Join(dir, "Envfile") {
		t.Errorf("found %q, %v", got, err)
	}
}

func TestLoadUnreadable(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, LocalFileName), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"Envfile": "", "large": strings.Repeat("#", maxFile+1)})
	for name, want := range map[string]string{
		"missing": "no such file or directory", "Envfile": "it is not a regular file", "large": "it is larger than 1 MiB", ".": "it is not a regular file",
	} {
		e, diags := Load(filepath.Join(dir, name), Options{User: filepath.Join(dir, "none")})
		if e == nil || !strings.Contains(diagText(diags), want) {
			t.Errorf("%s: %q", name, diagText(diags))
		}
		problems(t, diags)
	}
}

// Whoever works in the folder of the user's own file sees it as an Envfile.
func TestLoadUserFileItself(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"Envfile": "box \"a\" { image = \"x\" }\n"})
	path := filepath.Join(dir, "Envfile")
	if e, diags := Load(path, Options{User: path}); diags.HasErrors() || len(e.Files) != 1 {
		t.Errorf("%d files, %s", len(e.Files), diagText(diags))
	}
}
