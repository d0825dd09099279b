package setup

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-dev/berth/provider/lxc"
	"github.com/berth-dev/berth/provider/lxc/account"
)

// What was done for a user whose account was deleted is taken back without it.
func TestFormerUser(t *testing.T) {
	h, ran := fakeHost(t, map[string]string{
		"/etc/subuid":                  "anna:100000:65536\n",
		"/etc/subgid":                  "anna:100000:65536\n",
		lxc.UserNetworksFile:           `{"networks": [{"user": "anna", "uid": 1234, "bridge": "berthu1234", "subnet": "10.179.0.0/24"}]}`,
		"/var/lib/systemd/linger/anna": "",
	})
	*h.done.of("anna") = userChanges{SubUIDs: "100000-165535", SubGIDs: "100000-165535", Linger: true}
	h.done.of("bert")
	for name, want := range map[string]person{
		"anna": {name: "anna", uid: 1234, gid: nobody, gone: true}, "bert": {name: "bert", uid: nobody, gid: nobody, gone: true},
	} {
		if p, ok, err := h.former(name); err != nil || !ok || p != want {
			t.Errorf("%s: %+v, %v, %v", name, p, ok, err)
		}
	}
	if p, ok, err := h.former("carl"); ok || err != nil {
		t.Errorf("carl: %+v, %v", p, err)
	}
	h.user, _, _ = h.former("anna")
	for _, s := range []step{linger{h}, subIDs{h}} {
		makeAll(t, h, s, step.undo)
	}
	if left := h.read(t, "/var/lib/systemd/linger/anna") + h.read(t, "/etc/subuid") + h.read(t, "/etc/subgid"); left != "missing" || len(*ran) > 0 {
		t.Errorf("left are %q; ran %q", left, *ran)
	}
}

// A number that was given again is no reason to share a network.
func TestNumberGivenAgain(t *testing.T) {
	h, _ := fakeHost(t, map[string]string{
		lxc.UserNetworksFile: `{"networks": [{"user": "bert", "uid": 1234, "bridge": "berthu1234", "subnet": "10.179.0.0/24"}]}`,
	})
	if _, err := (networks{h}).missing(); err == nil || !strings.Contains(err.Error(), "sudo berth setup --user bert --undo") {
		t.Errorf("got %v", err)
	}
	if out := makeAll(t, h, networks{h}, step.undo); out != "nothing for anna\n" {
		t.Errorf("undo for anna would take bert's network: %q", out)
	}
}

func TestFind(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no getent
	for name, want := range map[string]string{"": "for whom?", "root": "root needs no preparation", "nobody-of-that-name": "is not known on this host"} {
		if _, err := find(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	var warn bytes.Buffer
	if err := makeCgroups(lxc.UserNetwork{User: "nobody-of-that-name", UID: 70001}, &warn); err != nil ||
		!strings.Contains(warn.String(), "sudo berth setup --user nobody-of-that-name --undo") {
		t.Errorf("cgroups of a user who is gone: %v, %q", err, &warn)
	}
	if _, err := find("nobody-of-that-name"); !errors.Is(err, account.ErrUnknown) {
		t.Error(err)
	}
}

// A Ctrl-C ends setup between two changes, and no program amid its work.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h, _ := fakeHost(t, nil)
	file := filepath.Join(t.TempDir(), "done")
	var out bytes.Buffer
	all := []step{script{
		{"install", func(ctx context.Context) error {
			cancel()
			return runCommand(ctx, "touch", file)
		}},
		{"go on", func(context.Context) error { t.Error("setup goes on"); return nil }},
	}}
	err := apply(ctx, h, Options{Out: &out}, all, step.missing, "")
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "go on") || out.String() != "install\n" {
		t.Errorf("got %v, and was told %q", err, &out)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("a program was ended: %v", err)
	}
}

// script is a step of a test's.
type script []change

func (s script) missing() ([]change, error) { return s, nil }
func (s script) undo() ([]change, error)    { return nil, nil }

// What users cannot read is noticed, and mended.
func TestUnreadable(t *testing.T) {
	h, _ := fakeHost(t, map[string]string{lxc.UserNetworksFile: "{}"})
	dir, file := h.path("/etc/berth"), h.path(lxc.UserNetworksFile)
	if changes := (networks{h}).unreadable(); len(changes) > 0 {
		t.Errorf("all is well, and said is %q", changes[0].text)
	}
	for path, mode := range map[string]os.FileMode{file: 0o640, dir: 0o700} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	changes := (networks{h}).unreadable()
	if len(changes) != 2 || changes[0].text != "let everybody read /etc/berth" {
		t.Fatalf("%d changes", len(changes))
	}
	for _, c := range changes {
		if err := c.make(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for path, mode := range map[string]os.FileMode{file: 0o644, dir: 0o755} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, st.Mode(), err)
		}
	}
}
