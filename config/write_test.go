package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

// golden compares got with a file, which UPDATE=1 writes.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func render(t *testing.T, src string, vars map[string]string, o WriteOptions) string {
	t.Helper()
	o.Cwd = "/proj"
	e, diags := Parse([]Source{{Name: "/proj/sub/Envfile", Bytes: []byte(src)}}, "/proj/sub", Options{Vars: vars})
	problems(t, diags)
	var b bytes.Buffer
	if err := WriteDiagnostics(&b, e.Files, diags, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const badSource = "# Tabs, wide characters and long lines must not move the mark.\n" +
	"box \"web\" {\n" +
	"\timage\t= \"x\"\n" +
	"\tmessage\t= \"日本語 ${nothing} é\" # wide\r\n" +
	"\tenv = { A = \"\x1b[31m\", B = nope }\n" +
	"  resources {\n" +
	"    memory = \"512M\"\n" +
	"    io { read = 1 }\n" +
	"  }\n" +
	"  depends_on = [\n" +
	"    \"db\",\n" +
	"  ]\n" +
	"  hostname = \"" + "this-is-a-very-long-host-name-which-does-not-fit-in-a-terminal-line-of-eighty-columns" + "\"\n" +
	"  provisioner \"shell\" \"setup\" { inline = upr(\"x\") }\n" +
	"}\n" +
	"box \"db2\" {}"

func TestWriteDiagnostics(t *testing.T) {
	golden(t, "plain.txt", render(t, badSource, map[string]string{"x": "1"}, WriteOptions{}))
	golden(t, "narrow.txt", render(t, badSource, nil, WriteOptions{Width: 40}))
	golden(t, "color.txt", render(t, "box \"web\" {\n  imag = 1\n  image = \"x\"\n}\n", nil, WriteOptions{Color: true}))
	golden(t, "syntax.txt", render(t, "box \"web\" {\n  image = \"x\n}\n", nil, WriteOptions{}))
}

func TestWriteDiagnosticsOddities(t *testing.T) {
	file := &hcl.File{Bytes: []byte("a\n")}
	at := func(name string, start, end hcl.Pos) *hcl.Range {
		return &hcl.Range{Filename: name, Start: start, End: end}
	}
	diags := hcl.Diagnostics{
		{Severity: hcl.DiagWarning, Summary: "No place"},
		{Severity: hcl.DiagError, Summary: "Unknown file", Detail: "Two\nlines.", Subject: at("none", hcl.Pos{Line: 3, Column: 1}, hcl.Pos{Line: 3, Column: 1})},
		{Severity: hcl.DiagError, Summary: "Behind the end", Subject: at("f", hcl.Pos{Line: 9, Byte: 99}, hcl.Pos{Line: 9, Byte: 120})},
		{Severity: hcl.DiagError, Summary: "Backwards", Subject: at("f", hcl.Pos{Line: 1, Byte: 1}, hcl.Pos{Line: 1, Byte: 0})},
		{Severity: hcl.DiagError, Summary: "At the end", Subject: at("f", hcl.Pos{Line: 2, Byte: 2}, hcl.Pos{Line: 2, Byte: 2})},
	}
	var b bytes.Buffer
	if err := WriteDiagnostics(&b, map[string]*hcl.File{"f": file}, diags, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "oddities.txt", b.String())
}

// The values of sensitive variables must not appear in any message, wherever
// they are wrong and by whatever way they came there.
func TestSensitive(t *testing.T) {
	const head = `
variable "s" {
  type      = string
  sensitive = true
}
locals { derived = "x${var.s}" }
`
	for name, body := range map[string]string{
		"size":        `resources { memory = var.s }`,
		"cpuset":      `resources { cpuset = local.derived }`,
		"number":      `resources { cpus = var.s }`,
		"hostname":    `hostname = "${var.s}!"`,
		"function":    `message = parseint(var.s, 10)`,
		"json":        `message = jsondecode(local.derived)`,
		"file":        `message = file(var.s)`,
		"choice":      `provisioner "shell" { run = var.s }`,
		"plugin":      `provisioner "shell" { inline = parseint(upper(var.s), 10) }`,
		"env key":     `env = { "${var.s} " = "x" }`,
		"index":       `message = { a = 1 }[var.s]`,
		"condition":   `message = var.s ? 1 : 2`,
		"for":         `message = [for x in [var.s] : parseint(x, 10)][0]`,
		"whole":       `message = parseint(var["s"], 10)`,
		"dependency":  `depends_on = [var.s]`,
		"provisioner": `provisioner "shell" { before = var.s }`,
	} {
		t.Run(name, func(t *testing.T) {
			src := head + "box \"a\" {\n  image = \"x\"\n  " + strings.ReplaceAll(body, "{ run", "{\n run") + "\n}\n"
			out := render(t, src, map[string]string{"s": "hunter2!"}, WriteOptions{})
			if !strings.Contains(out, "Error: ") {
				t.Errorf("no error at all")
			}
			if strings.Contains(strings.ToLower(out), "hunter2") {
				t.Errorf("the value is shown:\n%s", out)
			}
		})
	}
	for _, src := range []string{
		"variable \"s\" {\n sensitive = true\n type = number\n default = \"hunter2\"\n}\n",
		"variable \"s\" {\n sensitive = true\n default = parseint(\"hunter2\", 10)\n}\n",
	} {
		if out := render(t, src, nil, WriteOptions{}); strings.Contains(out, "hunter2") || !strings.Contains(out, "Error: ") {
			t.Errorf("default: %s", out)
		}
	}
	out := render(t, "variable \"s\" {\n sensitive = true\n type = number\n}\n", map[string]string{"s": "hunter2"}, WriteOptions{})
	if strings.Contains(out, "hunter2") || !strings.Contains(out, "Error: ") {
		t.Errorf("--var: %s", out)
	}
}
