package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzParse checks that no bytes make the parser panic, that every diagnostic
// has a place, and that all of them can be written.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/valid/*.hcl", "testdata/errors/*.hcl"} {
		for _, path := range globF(f, pattern) {
			src, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	for _, src := range hostileWork {
		if len(src) > 300 { // the long ones take as long as is allowed
			continue
		}
		f.Add([]byte("locals {\n  n = split(\",\", \"a,a,a,a\")\n  " + src + "\n}\n"))
	}
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, src []byte) {
		checkParse(t, root, src)
	})
}

func globF(f *testing.F, pattern string) []string {
	f.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		f.Fatal(err)
	}
	return paths
}

func checkParse(t *testing.T, root string, src []byte) {
	t.Helper()
	for _, layer := range []Layer{LayerProject, LayerLocal} {
		e, diags := Parse([]Source{{Name: "Envfile", Bytes: src, Layer: layer}}, root, Options{Vars: map[string]string{"x": string(src)}})
		if e == nil || e.Files["Envfile"] == nil {
			t.Fatal("no Envfile, or not its file")
		}
		problems(t, diags)
		var b bytes.Buffer
		if err := WriteDiagnostics(&b, e.Files, diags, WriteOptions{Width: 40}); err != nil {
			t.Fatal(err)
		}
		for _, box := range e.Boxes {
			box.Range("resources.io.read")
			box.Provider.Body().JustAttributes()
		}
	}
}

// TestHostile parses what was made to exhaust stack, memory or time. A stack
// that overflows cannot be recovered from: it would end the test run.
func TestHostile(t *testing.T) {
	repeat := func(n int, open, middle, closing string) string {
		return strings.Repeat(open, n) + middle + strings.Repeat(closing, n)
	}
	doubling := "locals {\n  a0 = [\"x\", \"x\"]\n"
	for i := range 60 {
		doubling += fmt.Sprintf("  a%d = [local.a%d, local.a%d]\n", i+1, i, i)
	}
	text := "locals {\n  t0 = \"xxxxxxxx\"\n"
	for i := range 60 {
		text += fmt.Sprintf("  t%d = \"${local.t%d}${local.t%d}\"\n", i+1, i, i)
	}
	squares := "locals {\n  n0 = 1e99\n"
	for i := range 60 {
		squares += fmt.Sprintf("  n%d = local.n%d * local.n%d\n", i+1, i, i)
	}
	chain := "locals {\n"
	for i := range 2000 {
		chain += fmt.Sprintf("  c%d = local.c%d\n", i, i+1)
	}
	guarded := map[string]bool{}
	for _, name := range strings.Fields("brackets unclosed parentheses blocks unary sum ternary index splat dots templates directives interleaved number digits types") {
		guarded[name] = true
	}
	for name, src := range map[string]string{
		"brackets":    "locals { a = " + repeat(5000, "[", "1", "]") + "\n}\n",
		"unclosed":    "locals { a = " + strings.Repeat("[", 5000),
		"parentheses": "locals { a = " + repeat(5000, "(", "1", ")") + "\n}\n",
		"blocks":      repeat(5000, "a {\n", "", "}\n"),
		"unary":       "locals { a = " + strings.Repeat("!", 5000) + "true\n}\n",
		"sum":         "locals { a = 1" + strings.Repeat("+1", 5000) + "\n}\n",
		"ternary":     "locals { a = " + strings.Repeat("true ? 1 : ", 5000) + "1\n}\n",
		"index":       "locals { a = x" + strings.Repeat("[y]", 5000) + "\n}\n",
		"splat":       "locals { a = x" + strings.Repeat("[*]", 5000) + "\n}\n",
		"dots":        "locals { a = x" + strings.Repeat(".y", 5000) + "\n}\n",
		"templates":   "locals { a = " + repeat(5000, `"${`, "1", `}"`) + "\n}\n",
		"directives":  "locals { a = \"" + repeat(5000, "%{if true}", "x", "%{endif}") + "\"\n}\n",
		"interleaved": "locals { a = \"" + strings.Repeat("%{if true}${1}", 5000) + "\"\n}\n",
		"number":      "locals { a = \"${1e999999999}\"\n}\n",
		"digits":      "locals { a = " + strings.Repeat("9", 200000) + "\n}\n",
		"types":       "variable \"a\" {\n type = " + repeat(5000, "list(", "string", ")") + "\n}\n",
		"doubling":    doubling + "  all = jsonencode(local.a60)\n}\n",
		"text":        text + "}\n",
		"squares":     squares + "  s = \"${local.n60}\"\n}\n",
		"chain":       chain + "}\n",
		"cycle":       chain + "  c2000 = [local.c0, local.c1]\n}\n",
		"replace":     "locals {\n a = join(\"\", [for i in range(1000) : \"aaaaaaaaaa\"])\n b = replace(local.a, \"a\", local.a)\n}\n",
		"indent":      "box \"a\" {\n image = \"x\"\n message = indent(1000000000, \"a\\nb\")\n}\n",
		"formats":     "box \"a\" {\n image = \"x\"\n message = format(\"%[1]999999999s\", \"a\")\n}\n",
		"precision":   "box \"a\" {\n image = \"x\"\n message = format(\"%.999999999f\", 1)\n}\n",
		"boxes":       strings.Repeat("box \"a\" {}\n", 1000),
		"many boxes":  manyBoxes(1000),
		"count":       strings.Repeat("box \"a\" { count = 250 }\n", 2) + "box \"b\" {\n count = 1e99\n}\n",
		"counts":      repeatedBoxes("count = 250"),
		"for_each":    repeatedBoxes("for_each = range(60000)"),
		"size":        "box \"a\" {\n image = \"x\"\n resources { memory = \"" + strings.Repeat("9", 500000) + "GiB\" }\n}\n",
		"cpus":        "box \"a\" {\n image = \"x\"\n resources { cpus = \"1e999999999\" }\n}\n",
		"json big":    "box \"a\" {\n image = \"x\"\n message = jsondecode(\"1e600000000\")\n}\n",
		"json":        "box \"a\" {\n image = \"x\"\n message = jsondecode(\"1e999999999\")\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte(src)}}, t.TempDir(), Options{})
			if !diags.HasErrors() {
				t.Error("no error")
			}
			if guarded[name] && diags[0].Summary != "Too complex" {
				t.Errorf("the guard before the parser let it pass: %s", diags[0].Summary)
			}
			problems(t, diags)
			// Far above what it takes: the race detector is slow, and so are busy machines.
			if d := time.Since(start); d > 2*time.Minute {
				t.Errorf("took %v", d)
			}
		})
	}
}

func repeatedBoxes(with string) string {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "box \"b%d\" {\n image = \"x\"\n %s\n provisioner \"shell\" { inline = box.b0 }\n}\n", i, with)
	}
	return b.String()
}

func manyBoxes(n int) string {
	var b strings.Builder
	b.WriteString("defaults {\n  image = \"x\"\n  env = { A = \"b\" }\n}\n")
	for i := range n {
		fmt.Fprintf(&b, "box \"b%d\" {}\n", i)
	}
	return b.String()
}
