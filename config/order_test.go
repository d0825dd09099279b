package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// steps parses a box with these provisioners, "NAME: ARGUMENTS", and returns
// each as it is to run: its ID, what it runs with, and when.
func steps(t *testing.T, blocks ...string) []string {
	t.Helper()
	src := "box \"a\" {\n  image = \"x\"\n"
	for _, b := range blocks {
		name, args, _ := strings.Cut(b, ":")
		label := ""
		if name != "" {
			label = fmt.Sprintf("%q", name)
		}
		src += fmt.Sprintf("  provisioner \"shell\" %s {\n%s\n}\n", label, strings.ReplaceAll(args, ",", "\n"))
	}
	e := parseOK(t, Options{}, src+"}\n")
	var out []string
	for _, p := range e.Boxes[0].Provisioners {
		text := p.ID()
		if p.Before != "" {
			text += " <" + p.Before
		}
		if p.After != "" {
			text += " >" + p.After
		}
		if p.Run != "once" {
			text += " " + p.Run
		}
		out = append(out, text)
	}
	return out
}

func TestOrder(t *testing.T) {
	for name, c := range map[string]struct{ blocks, want []string }{
		"as written": {[]string{"a", "b", "c"}, []string{"a", "b", "c"}},
		"before and after one": {
			[]string{`x: after = "b"`, `y: before = "b"`, "a", "b", "c"},
			[]string{"a", "y <b", "b", "x >b", "c"},
		},
		"several at one keep their order": {
			[]string{"a", `p: before = "a"`, `q: before = "a"`, `r: after = "a"`, `s: after = "a"`},
			[]string{"p <a", "q <a", "a", "r >a", "s >a"},
		},
		"all": {
			[]string{`z: after = "all"`, "a", `x: before = "all"`, `y: before = "all"`, `e: before = "each"`},
			[]string{"x", "y", "e@a <a", "a", "z"},
		},
		"each is around what names the step, and each root only": {
			[]string{`f: after = "each"`, `e: before = "each"`, "a", `x: before = "b"`, "b", `y: after = "b"`},
			[]string{"e@a <a", "a", "f@a >a", "e@b <b", "x <b", "b", "y >b", "f@b >b"},
		},
		"without a name": {
			[]string{`: before = "each"`, "", ""},
			[]string{"shell@shell-2 <shell-2", "shell-2", "shell@shell-3 <shell-3", "shell-3"},
		},
		"nothing to stand at": {[]string{`e: before = "each"`}, nil},
		"beside one that never runs": {
			[]string{`a: run = "never"`, `b: before = "a"`, `c: after = "a", run = "always"`, `e: after = "each"`},
			[]string{"b <a never", "a never", "c >a never", "e@a >a never"},
		},
		"one that never runs itself goes with nothing": {
			[]string{"a", `b: before = "a", run = "never"`}, []string{"b never", "a"},
		},
	} {
		if diff := cmp.Diff(c.want, steps(t, c.blocks...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestOrderOverLayers(t *testing.T) {
	e, diags := Parse([]Source{
		{Name: "Envfile", Bytes: []byte(`
defaults {
  image = "x"
  provisioner "shell" "motd" { after = "all" }
  provisioner "shell" "users" { before = "app" }
}
box "a" {
  provisioner "shell" "packages" {}
  provisioner "shell" "app" {}
}`)},
		{Name: "Envfile.local", Layer: LayerLocal, Bytes: []byte("box \"a\" {\n  provisioner \"shell\" \"mine\" { after = \"packages\" }\n}\n")},
	}, t.TempDir(), Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var ids []string
	for _, p := range e.Boxes[0].Provisioners {
		ids = append(ids, p.ID())
	}
	if diff := cmp.Diff([]string{"packages", "mine", "users", "app", "motd"}, ids); diff != "" {
		t.Error(diff)
	}
}

// A small file cannot make a great many steps.
func TestOrderIsBounded(t *testing.T) {
	src := "box \"a\" {\n  image = \"x\"\n" + strings.Repeat("  provisioner \"shell\" {}\n", 600) +
		strings.Repeat("  provisioner \"shell\" { before = \"each\" }\n", 2) + "}\n"
	_, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte(src)}}, t.TempDir(), Options{})
	if len(diags) != 1 || diags[0].Summary != tooComplex || diags[0].Subject.Start.Line != 603 {
		t.Errorf("%v", diags)
	}
}

func TestCalled(t *testing.T) {
	for id, names := range map[string]map[string]bool{
		"log@web": {"log": true, "log@web": true, "web": false, "log@": false},
		"log":     {"log": true, "log@web": false, "lo": false},
	} {
		for name, want := range names {
			if got := (&Provisioner{id: id}).Called(name); got != want {
				t.Errorf("%q calls %s: %v", name, id, got)
			}
		}
	}
}
