package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
)

func TestCompareSteps(t *testing.T) {
	step := func(id string, parts ...string) state.LockedStep {
		s := state.LockedStep{Step: id, Type: "shell", Run: "once", Parts: map[string]string{}}
		for i := 0; i < len(parts); i += 2 {
			s.Parts[parts[i]] = parts[i+1]
		}
		return s
	}
	open := func(id, why string) state.LockedStep {
		return state.LockedStep{Step: id, Type: "shell", Run: "once", Open: why}
	}
	with := func(s state.LockedStep, change func(*state.LockedStep)) state.LockedStep { change(&s); return s }
	file := func(steps ...state.LockedStep) *state.LockFile {
		return &state.LockFile{Boxes: []state.LockedBox{{Box: "a", Steps: steps}}}
	}
	const one = `step "one" of box "a"`
	for what, c := range map[string]struct {
		lock, now *state.LockFile
		want      []Difference
	}{
		"nothing":       {file(step("one", "argument a", "1")), file(step("one", "argument a", "1")), nil},
		"open for both": {file(open("one", "it uses env()")), file(open("one", "it uses path.home")), nil},
		"a lock of a Berth that locked no steps": {&state.LockFile{}, file(step("one")),
			[]Difference{{What: `box "a"`, Text: "its steps are not locked", New: true}}},
		"a box that only the lock has": {file(step("one")), &state.LockFile{}, nil},
		"parts": {file(step("one", "argument a", "1", "file f", "1", "file gone\x1b", "1")), file(step("one", "argument a", "1", "file f", "2", "file g", "1")),
			[]Difference{{What: one, Text: "it is not what is locked: file f, file g is new, file gone is gone"}}},
		"type and run": {file(step("one")), file(with(step("one"), func(s *state.LockedStep) { s.Type, s.Run = "file", "always" })),
			[]Difference{{What: one, Text: `its type is "file", locked is "shell"; run is "always", locked is "once"`}}},
		"open now": {file(step("one", "argument a", "1")), file(open("one", "it uses env()")),
			[]Difference{{What: one, Text: "it cannot be compared: it uses env()"}}},
		"open when it was locked": {file(open("one", "it uses env()")), file(step("one", "argument a", "1")),
			[]Difference{{What: one, Text: "the lock does not say what it consists of", New: true}}},
		"new and gone": {file(step("one"), step("two")), file(step("three"), step("one")), []Difference{
			{What: `step "three" of box "a"`, Text: "it is not locked", New: true},
			{What: `step "two" of box "a"`, Text: "it is locked, and the Envfile does not have it", Gone: true},
		}},
		"order": {file(step("one"), step("two")), file(step("two"), step("one")),
			[]Difference{{What: `box "a"`, Text: `its steps run in the order "two" and "one", locked is "one" and "two"`}}},
	} {
		if diff := cmp.Diff(c.want, compareSteps(c.lock, c.now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

// What is locked of a step is the same wherever the project is, whatever the
// umask, and with a plugin that knows one more argument.
func TestLockedStep(t *testing.T) {
	top := t.TempDir()
	project := func(name string, mode os.FileMode, text string) string {
		root := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Join(root, "conf"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{"run.sh", "conf/a"} {
			if err := os.WriteFile(filepath.Join(root, f), []byte(text), mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(root, f), mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("../..", filepath.Join(root, "out")); err != nil {
			t.Fatal(err)
		}
		return root
	}
	locked := func(root, args string, inputs ...string) state.LockedStep {
		t.Helper()
		e := &Engine{Envfile: &config.Envfile{Root: root}}
		s := &step{block: &config.Provisioner{Type: "x", Run: "once"}, inputs: inputs}
		if args != "" {
			s.args = []byte(args)
		}
		l, err := e.lockedStep(s)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	a, b, c, d := project("a", 0o600, "1"), project("b", 0o664, "1"), project("c", 0o700, "1"), project("d", 0o600, "2")
	first := locked(a, `{"inline":"x","env":null}`, "run.sh", "conf")
	if len(first.Parts) != 3 || first.Open != "" {
		t.Fatalf("%+v", first)
	}
	if diff := cmp.Diff(first, locked(b, `{"inline":"x"}`, "run.sh", "conf")); diff != "" {
		t.Errorf("another folder and umask:\n%s", diff)
	}
	if err := os.Mkdir(filepath.Join(b, "conf", "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, locked(b, `{"inline":"x"}`, "run.sh", "conf")); diff != "" {
		t.Errorf("an empty folder, which git does not keep:\n%s", diff)
	}
	for what, other := range map[string]state.LockedStep{
		"executable": locked(c, `{"inline":"x"}`, "run.sh", "conf"), "content": locked(d, `{"inline":"x"}`, "run.sh", "conf"),
	} {
		if got := changedParts(first.Parts, other.Parts); !cmp.Equal(got, []string{"file conf", "file run.sh"}) {
			t.Errorf("%s: %v differ", what, got)
		}
	}
	missing := locked(a, "{}", "nothing")
	if missing.Open != "" || missing.Parts["file nothing"] == "" {
		t.Errorf("a file that is missing: %+v", missing)
	}
	for input, want := range map[string]string{
		"../x":                   "it reads ../x, which is outside the project's folder",
		"out":                    "it reads out, which is outside the project's folder",
		filepath.Join(a, "conf"): "it reads a file by an absolute path",
		"conf/..":                "it reads the project's whole folder, Envfile.lock among it",
	} {
		if got := locked(a, "{}", input); got.Open != want || got.Parts != nil {
			t.Errorf("%s: %+v, want %q", input, got, want)
		}
	}
	if got := locked(a, ""); got.Open != "its arguments are not known until other boxes are up" {
		t.Errorf("%+v", got)
	}
}
