package setup

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// Where AppArmor restricts users' namespaces, berth gets a profile; elsewhere
// nothing is written.
func TestAppArmor(t *testing.T) {
	h, ran := fakeHost(t, map[string]string{restriction: "1\n", abi: ""})
	if out := makeAll(t, h, appArmor{h}, step.missing); out != "write /etc/apparmor.d/berth: AppArmor lets berth use user namespaces\n" {
		t.Errorf("said %q", out)
	}
	text := h.read(t, profileFile)
	if !strings.Contains(text, "\nabi <abi/4.0>,\n") || !strings.Contains(text, "\nprofile berth /opt/berth flags=(unconfined) {\n  userns,\n") {
		t.Errorf("the profile is\n%s", text)
	}
	if out := makeAll(t, h, appArmor{h}, step.missing); out != "nothing for anna\n" {
		t.Errorf("the second time it said %q", out)
	}
	makeAll(t, h, appArmor{h}, step.undo)
	if got := h.read(t, profileFile); got != "missing" {
		t.Errorf("after undo the profile is\n%s", got)
	}
	if want := []string{"apparmor_parser --replace " + h.path(profileFile), "apparmor_parser --remove " + h.path(profileFile)}; !slices.Equal(*ran, want) {
		t.Errorf("ran %q, want %q", *ran, want)
	}
	for name, files := range map[string]map[string]string{
		"the kernel has no restriction": {abi: ""}, "it is off": {restriction: "0\n", abi: ""},
	} {
		h, _ := fakeHost(t, files)
		for _, ask := range []func(step) ([]change, error){step.missing, step.undo} {
			if out := makeAll(t, h, appArmor{h}, ask); out != "nothing for anna\n" {
				t.Errorf("%s: said %q", name, out)
			}
		}
	}
	h, _ = fakeHost(t, map[string]string{restriction: "1\n"})
	if _, err := (appArmor{h}).missing(); err == nil || !strings.Contains(err.Error(), abi) {
		t.Errorf("without the parser's new rules: %v", err)
	}
}

// A profile that could not be loaded is tried again, and one that somebody has
// removed keeps nobody from undoing the rest.
func TestAppArmorTrouble(t *testing.T) {
	h, ran := fakeHost(t, map[string]string{restriction: "1\n", abi: ""})
	run := h.run
	h.run = func(context.Context, ...string) error { return errors.New("no such parser") }
	changes, err := appArmor{h}.missing()
	if err != nil || len(changes) != 1 {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	if err := changes[0].make(t.Context()); err == nil || err.Error() != "no such parser" {
		t.Errorf("got %v", err)
	}
	h.run = run
	makeAll(t, h, appArmor{h}, step.missing)
	if want := []string{"apparmor_parser --replace " + h.path(profileFile)}; !slices.Equal(*ran, want) {
		t.Errorf("the next setup ran %q, want %q", *ran, want)
	}
	if err := os.Remove(h.path(profileFile)); err != nil {
		t.Fatal(err)
	}
	*ran = nil
	if out := makeAll(t, h, appArmor{h}, step.undo); out != "remove /etc/apparmor.d/berth\n" || len(*ran) > 0 {
		t.Errorf("undo said %q and ran %q", out, *ran)
	}
}
