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
		want := []string{"systemctl enable " + unitName, "systemctl start --no-block " + unitName, "systemctl disable --now " + unitName}
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

// Setup's own unit goes when the package has come, which it would hide. One that
// somebody else put there stays.
func TestUnitOfThePackage(t *testing.T) {
	h, ran := fakeHost(t, nil)
	makeAll(t, h, unit{h}, step.missing)
	for _, name := range []string{"/usr/lib/systemd/system/" + unitName, "/etc/systemd/system/multi-user.target.wants/" + unitName} {
		if err := os.MkdirAll(filepath.Dir(h.path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.path(name), []byte(unitText), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	*ran = nil
	if out := makeAll(t, h, unit{h}, step.missing); out != "remove "+ownUnit+", which hides that of the package\n" {
		t.Errorf("said %q", out)
	}
	if want := []string{"systemctl daemon-reload", "systemctl reenable " + unitName}; !slices.Equal(*ran, want) || h.read(t, ownUnit) != "missing" {
		t.Errorf("ran %q; the unit is %q", *ran, h.read(t, ownUnit))
	}
	if out := makeAll(t, h, unit{h}, step.missing); out != "nothing for anna\n" {
		t.Errorf("the second time it said %q", out)
	}
	if err := os.WriteFile(h.path(ownUnit), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := makeAll(t, h, unit{h}, step.missing); out != "nothing for anna\n" || h.read(t, ownUnit) != "mine" {
		t.Errorf("of somebody else's it said %q", out)
	}
}

// A restart of nftables takes our tables away; the unit then makes them again.
func TestUnitFollowsNftables(t *testing.T) {
	for _, line := range []string{"PartOf=nftables.service", "ReloadPropagatedFrom=nftables.service", "RemainAfterExit=yes",
		"ExecReload=" + packagedProgram + " setup network"} {
		if !strings.Contains(unitText, "\n"+line+"\n") {
			t.Errorf("the unit lacks %q", line)
		}
	}
	if own := (unit{&host{}}).file("/opt/berth").text; strings.Contains(own, packagedProgram) || strings.Count(own, "=/opt/berth setup network\n") != 2 {
		t.Errorf("setup's own unit is\n%s", own)
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
