package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is kept of boxes works for a user as it does for root: checkpoints,
// snapshots, forks, packages, and the space that they take.
func TestRootlessKeep(t *testing.T) {
	u := newHostUser(t, "g")
	prepare(t, u)
	u.giveImage(t)
	dir := u.project(t, "kept", `
box "dev" {
  image = "debian:bookworm"
  resources { memory = "300MiB" }
  provisioner "shell" "slow" {
    inline = "sleep 6; mkdir /srv/d; echo one >/srv/d/file; rm /etc/motd; chown dev /srv/d/file"
  }
}
`)
	berth := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(u.run(t, dir, append([]string{"berth"}, args...)...))
	}
	both := func(args ...string) string { // what is said, too
		t.Helper()
		out, err := u.try(t, dir, append([]string{"berth"}, args...)...)
		if err != nil {
			t.Fatalf("berth %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	const look = "stat -c '%U' /srv/d/file; cat /srv/d/file; test -e /etc/motd || echo no motd"
	check := func(when, want string, box ...string) {
		t.Helper()
		if got := berth(append(append([]string{"ssh"}, box...), "-c", look)...); got != want {
			t.Errorf("%s the box has %q, want %q", when, got, want)
		}
	}
	const one, two = "dev\none\nno motd", "dev\ntwo\nno motd"
	berth("up")
	check("provisioned,", one)
	berth("destroy", "-f")
	if out := both("up"); !strings.Contains(out, "1 of 1 steps from checkpoints") {
		t.Errorf("the second up: %s", out)
	}
	check("from its checkpoint,", one)

	berth("snapshot", "save", "dev", "first")
	berth("ssh", "-c", "sudo sh -c 'echo two >/srv/d/file'")
	check("changed,", two)
	berth("fork", "dev", "twin")
	check("forked,", two, "twin")
	berth("snapshot", "restore", "dev", "first")
	check("restored,", one, "dev")
	check("after the other was restored,", two, "twin")
	berth("resize", "dev", "--memory", "400MiB")
	if out := berth("status"); !strings.Contains(out, "/ 400 MiB") {
		t.Errorf("resized, status is:\n%s", out)
	}

	berth("package", "twin", "-o", "twin.berth")
	berth("destroy", "-f")
	berth("image", "import", "twin.berth", "local:twin")
	other := u.project(t, "other", `box "dev" { image = "local:twin" }`)
	u.run(t, other, "berth", "up")
	if got := strings.TrimSpace(u.run(t, other, "berth", "ssh", "-c", look)); got != two {
		t.Errorf("imported, the box has %q", got)
	}
	u.run(t, other, "berth", "destroy", "-f")
	if out := berth("df"); !strings.Contains(out, "local:twin") || !strings.Contains(out, "checkpoint") {
		t.Errorf("df:\n%s", out)
	}
	berth("gc", "--older-than", "0s")
	if layers, _ := filepath.Glob(filepath.Join(u.data(), "checkpoints", "layers", "*")); len(layers) > 0 {
		t.Errorf("gc left %v", layers)
	}
	if err := os.Remove(filepath.Join(dir, "twin.berth")); err != nil {
		t.Error(err)
	}
	u.settled(t)
	u.noSudo(t)
}
