package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Root's umask does not matter, and --undo takes the ids away also while the user
// has a process.
func TestSetupUmask(t *testing.T) {
	u := newHostUser(t, "g")
	before := hostState(t, u)
	t.Cleanup(func() { _ = exec.Command("berth", "setup", "--user", u.name, "--undo").Run() })
	run := func(command string) string {
		t.Helper()
		out, err := exec.Command("sh", "-c", "umask 077; "+command).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	readable := func(when string) {
		t.Helper()
		for _, file := range []string{"/etc/berth/networks.json", "/etc/subuid", "/etc/subgid", "/etc/lxc/lxc-usernet"} {
			if out, err := u.try(t, "/", "cat", file); err != nil {
				t.Errorf("%s, the user cannot read %s: %s", when, file, out)
			}
		}
	}
	run("berth setup --user " + u.name)
	readable("after setup with umask 077")
	// As an older setup left it.
	run("chmod 700 /etc/berth; chmod 600 /etc/berth/networks.json")
	if out := run("berth setup --user " + u.name); !strings.Contains(out, "let everybody read /etc/berth\n") {
		t.Errorf("setup again says\n%s", out)
	}
	readable("once setup has run again")

	busy := u.command(t.Context(), "/", "sleep", "300")
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Process.Kill(); _ = busy.Wait() }()
	run("berth setup --user " + u.name + " --undo")
	if diff := cmp.Diff(before, hostState(t, u)); diff != "" {
		t.Errorf("after --undo, the host is another (-before +after):\n%s", diff)
	}
}

// A user who was deleted fails neither the boot nor --undo.
func TestSetupDeletedUser(t *testing.T) {
	u := newHostUser(t, "h")
	before := hostState(t, u)
	t.Cleanup(func() { _ = exec.Command("berth", "setup", "--user", u.name, "--undo").Run() })
	setup(t, "--user", u.name)
	if out, err := exec.Command("userdel", u.name).CombinedOutput(); err != nil {
		t.Fatalf("userdel: %v\n%s", err, out)
	}
	// For the end of the test, which removes the user with the home.
	t.Cleanup(func() {
		add := exec.Command("useradd", "--no-create-home", "--uid", fmt.Sprint(u.uid), "--home-dir", u.home, u.name)
		if out, err := add.CombinedOutput(); err != nil {
			t.Errorf("useradd: %v\n%s", err, out)
		}
	})
	if _, err := user.Lookup(u.name); err == nil {
		t.Fatal("the user is there still")
	}
	if out := setup(t, "network"); !strings.Contains(out, "user "+u.name+" is not known on this host") {
		t.Errorf("berth setup network says\n%s", out)
	}
	if out, err := exec.Command("berth", "setup", "--user", u.name).CombinedOutput(); err == nil || !strings.Contains(string(out), "not known on this host") {
		t.Errorf("setup for a user who is not there: %v\n%s", err, out)
	}
	setup(t, "--user", u.name, "--undo")
	after := hostState(t, u)
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} { // userdel has taken what useradd gave
		if b, _ := os.ReadFile(file); strings.Contains(string(b), u.name+":") {
			t.Errorf("%s still has\n%s", file, b)
		}
		delete(before, file)
		delete(after, file)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("after --undo, the host is another (-before +after):\n%s", diff)
	}
	if out, err := exec.Command("berth", "setup", "--user", u.name, "--undo").CombinedOutput(); err == nil || !strings.Contains(string(out), "not known on this host") {
		t.Errorf("the second --undo: %v\n%s", err, out)
	}
}
