package engine

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/berth/provider"
)

// A file that is replaced is told, one that is written in place is not, whatever
// number its filesystem gives it.
func TestExposed(t *testing.T) {
	e, _, said := newEngine(t, "box \"web\" {\n  folder \"fixed\" {\n    target = \"/fixed\"\n    readonly = true\n  }\n}\n")
	target := &target{box: e.Envfile.Box("web"), plugin: e.Plugins.(plugins).f, voice: e.UI.Box("web")}
	target.record = record(t, e, "web")
	target.id = target.record.ID
	file := func(name string) string { return filepath.Join(e.Envfile.Root, name) }
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(file(name), []byte("# text\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Envfile")
	target.record.Facts = e.facts(target)
	check := func(when string, want ...string) {
		t.Helper()
		said.Reset()
		if err := e.settleChanges(t.Context(), target, provider.Box{}); err != nil {
			t.Fatal(err)
		}
		warned := strings.Contains(said.String(), strings.Join(want, ", ")+": made or replaced on the host") && len(want) > 0
		if warned != (len(want) > 0) || len(want) == 0 && said.Len() > 0 {
			t.Errorf("%s: said %q, want %v", when, said, want)
		}
	}
	check("nothing has changed")
	write("Envfile")
	check("written in place")
	write("other")
	if err := os.Rename(file("other"), file("Envfile")); err != nil {
		t.Fatal(err)
	}
	check("renamed over", "/work/Envfile")
	if err := os.Remove(file("Envfile")); err != nil {
		t.Fatal(err)
	}
	write("Envfile")
	write("Envfile.lock")
	check("made anew, and another made", "/work/Envfile", "/work/Envfile.lock")
	if names := e.standing(target.box); len(names) != len(protected) {
		t.Errorf("protected are %v", slices.Sorted(maps.Keys(names)))
	}
}
