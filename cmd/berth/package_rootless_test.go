package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A box of root's becomes one of a user's, and that becomes one of root's again.
func TestPackageBetweenRootAndUser(t *testing.T) {
	p := newProject(t, "box \"a\" {\n  image = \"debian:bookworm\"\n}\n")
	u := newHostUser(t, "berth-test-p")
	p.must("up")
	const files = `cd /srv/t; stat -c "%n %a %u:%g %h" *; sudo python3 -c "import os; print(os.listxattr(\"a\"), os.getxattr(\"a\", \"security.capability\"))"; test -e /usr/share/bash-completion || echo gone`
	p.must("ssh", "-c", `sudo sh -c 'mkdir /srv/t; cd /srv/t; echo x >a; ln a b; touch c; chown 65534:50 a; chown 1000:1000 c; chmod 4755 c; rm -r /usr/share/bash-completion
python3 -c "import os, struct; os.setxattr(\"a\", \"security.capability\", struct.pack(\"<IIIII\", 0x02000001, 1 << 13, 0, 0, 0))"'`)
	want := answer(p.must("ssh", "-c", files))
	if !strings.Contains(want, "a 644 65534:50 2") || !strings.Contains(want, "security.capability") || !strings.Contains(want, "gone") {
		t.Fatalf("the box has\n%s", want)
	}
	p.must("package", "-o", "a.berth")
	p.must("destroy", "-f")

	dir := u.project(t, "moved", "box \"web\" {\n  image = \"local:a\"\n}\n")
	file := filepath.Join(dir, "a.berth")
	if err := os.Rename(filepath.Join(p.dir, "a.berth"), file); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(file, u.uid, u.gid); err != nil {
		t.Fatal(err)
	}
	prepare(t, u)
	u.run(t, dir, "berth", "image", "import", "a.berth")
	u.run(t, dir, "berth", "up")
	if got := answer(u.run(t, dir, "berth", "ssh", "-c", files)); got != want {
		t.Errorf("the user's box has\n%s\nwant\n%s", got, want)
	}
	u.run(t, dir, "berth", "df")
	if out := u.run(t, dir, "berth", "gc", "--older-than", "0s"); !strings.HasSuffix(out, "freed 0 B\n") {
		t.Errorf("gc beside the box: %s", out)
	}
	u.run(t, dir, "berth", "package", "-o", "b.berth")
	u.run(t, dir, "berth", "destroy", "-f")
	if out := u.run(t, dir, "berth", "gc", "--older-than", "0s"); !strings.Contains(out, "removed image local:a") {
		t.Errorf("gc: %s", out)
	}

	// The images that tests share are linked: what is imported is not to get there.
	for _, name := range []string{"images", "layers"} {
		if err := os.Remove(filepath.Join(p.data, name)); err != nil {
			t.Fatal(err)
		}
	}
	p.write("box \"a\" {\n  image = \"local:b\"\n}\n")
	p.must("image", "import", filepath.Join(dir, "b.berth"))
	p.must("up")
	if got := answer(p.must("ssh", "-c", files)); got != want {
		t.Errorf("root's box has\n%s\nwant\n%s", got, want)
	}
	p.must("destroy", "-f")
}

// answer is what a command in a box has said, without what berth says beside.
func answer(out string) string {
	var lines []string
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "warning: ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
