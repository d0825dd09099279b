package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestFolders: which folders a box has in the end.
func TestFolders(t *testing.T) {
	work := Folder{Source: ".", Target: "/work", Type: "bind", Implied: true}
	written := func(source, target string) Folder { return Folder{Source: source, Target: target, Type: "bind"} }
	for _, tt := range []struct {
		name, defaults, box string
		want                []Folder
	}{
		{"none written", ``, ``, []Folder{work}},
		{"taken away", ``, `folder "." { disabled = true }`, nil},
		{"taken away by its target", ``, `folder "any" {
			target   = "/work"
			disabled = true
		}`, nil},
		{"taken away for all, back in one", `folder "." { disabled = true }`, `folder "." {}`, []Folder{written(".", "/work")}},
		{"another source", ``, `folder "src" { target = "/work/" }`, []Folder{written("src", "/work")}},
		{"one more", `folder "~/data" { target = "/data" }`, ``, []Folder{work, written("~/data", "/data")}},
		{"the box's own wins", `folder "a" { target = "/data" }`, `folder "b" { target = "/data" }`, []Folder{work, written("b", "/data")}},
		{"the project elsewhere as well", ``, `folder "." { target = "/src" }`, []Folder{work, written(".", "/src")}},
		{"a parent comes first, the order stays otherwise", ``, `
			folder "c" { target = "/work/x/c" }
			folder "b" { target = "/b" }
			folder "a" { target = "/work/x" }`,
			[]Folder{work, written("b", "/b"), written("a", "/work/x"), written("c", "/work/x/c")}},
		{"a copy", ``, `folder "." {
			type    = "rsync"
			exclude = ["node_modules/"]
		}`, []Folder{{Source: ".", Target: "/work", Type: "rsync", Exclude: []string{"node_modules/"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := parseOK(t, Options{}, "defaults {\nimage = \"x\"\n"+tt.defaults+"\n}\nbox \"a\" {\n"+tt.box+"\n}")
			if diff := cmp.Diff(tt.want, e.Boxes[0].Folders, cmpopts.IgnoreFields(Folder{}, "DeclRange"), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFolderRange: a complaint about a folder finds its source.
func TestFolderRange(t *testing.T) {
	e := parseOK(t, Options{}, `
box "a" {
  image = "x"
  folder "data" { target = "/srv/v1.2" }
}`)
	b := e.Boxes[0]
	if got := sourceText(e, b.Range("folder./srv/v1.2")); got != `"data"` {
		t.Errorf("a written folder: %s", got)
	}
	if got := sourceText(e, b.Range("folder./work")); got != `box "a"` {
		t.Errorf("the implied folder: %s", got)
	}
}
