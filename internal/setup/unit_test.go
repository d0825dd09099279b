package setup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const ownUnit = "/etc/systemd/system/" + unitName

// The package's unit is only enabled; without it, one with the same text is written
// that runs this program.
func TestUnit(t *testing.T) {
	for _, dir := range []string{"/usr/lib/systemd/system/", "/lib/systemd/system/", ""} {
		files := map[string]string{}
		want := []string{"systemctl enable " + unitName, "systemctl disable --now " + unitName}
		if dir == "" {
			want = slices.Concat([]string{"systemctl daemon-reload"}, want, []string{"systemctl daemon-reload"})
		} else {
			files[dir+unitName] = unitText
		}
		h, ran := fakeHost(t, files)
		makeAll(t, h, unit{h}, step.missing)
		text := h.read(t, ownUnit)
		if dir != "" && text != "missing" {
			t.Errorf("%s has the unit, and setup writes one of its own", dir)
		}
		if dir == "" && (!strings.Contains(text, "\nExecStart=/opt/berth setup network\n") || strings.Contains(text, packagedProgram)) {
			t.Errorf("setup's own unit is\n%s", text)
		}
		makeAll(t, h, unit{h}, step.undo)
		if !slices.Equal(*ran, want) {
			t.Errorf("unit in %q: ran %q, want %q", dir, *ran, want)
		}
		if text := h.read(t, ownUnit); text != "missing" {
			t.Errorf("after undo the unit is\n%s", text)
		}
	}
	if !strings.Contains(unitText, "\nExecStart="+packagedProgram+" setup network\n") {
		t.Errorf("the package's unit does not run %s", packagedProgram)
	}
}

// Root runs nothing at boot that somebody else can write to.
func TestOnlyRoots(t *testing.T) {
	program := filepath.Join(t.TempDir(), "berth") // below a folder that everybody may write to
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := onlyRoots(program); err == nil || !strings.Contains(err.Error(), "can be changed by others") {
		t.Errorf("%s: %v", program, err)
	}
	if err := onlyRoots("/usr/bin/env"); err != nil && os.Geteuid() == 0 {
		t.Errorf("/usr/bin/env: %v", err)
	}
	h, _ := fakeHost(t, nil)
	h.program = func() (string, error) { return "", errors.New("not root's") }
	if _, err := (unit{h}).missing(); err == nil || err.Error() != "not root's" {
		t.Errorf("a unit for a program that is not root's: %v", err)
	}
}
