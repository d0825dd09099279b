package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLockFile(t *testing.T) {
	root := t.TempDir()
	if _, err := LoadLockFile(root); !errors.Is(err, ErrNoLockFile) {
		t.Errorf("without one: %v", err)
	}
	l := &LockFile{
		Images: []LockedImage{
			{Provider: "lxc", Image: "debian:trixie", Arch: "amd64", Digest: "sha256:2", Packages: []string{"a 1 all 0", "b <2 all 1"}},
			{Provider: "lxc", Image: "debian:bookworm", Arch: "arm64", Digest: "sha256:1"},
			{Provider: "lxc", Image: "debian:bookworm", Arch: "amd64", Digest: "sha256:3"},
		},
		Plugins: []LockedPlugin{{"provisioner", "motd", "amd64", "44"}, {"provider", "local", "amd64", "55"}},
		Boxes: []LockedBox{
			{Box: "web", Steps: []LockedStep{
				{Step: "z", Type: "shell", Run: "once", Parts: map[string]string{"file b": "66", "argument a": "77"}},
				{Step: "a", Type: "shell", Run: "once", Open: "it uses env()"},
			}},
			{Box: "db", Steps: []LockedStep{}},
		},
	}
	if err := l.Save(root); err != nil {
		t.Fatal(err)
	}
	got, err := LoadLockFile(root)
	if diff := cmp.Diff(l, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	first, err := os.ReadFile(filepath.Join(root, LockFileName))
	if err != nil {
		t.Fatal(err)
	}
	text := string(first)
	if !strings.Contains(text, "\n        \"b <2 all 1\"\n") {
		t.Errorf("a package has no line of its own:\n%s", text)
	}
	for _, order := range [][2]string{{`"amd64",`, `"arm64",`}, {"sha256:3", "sha256:1"}, {"sha256:1", "sha256:2"}, {"local", "motd"}, {`"db"`, `"web"`}, {`"step": "z"`, `"step": "a"`}, {"argument a", "file b"}} {
		if strings.Index(text, order[0]) > strings.Index(text, order[1]) {
			t.Errorf("%s comes after %s", order[0], order[1])
		}
	}
	got.Images[0], got.Images[2] = got.Images[2], got.Images[0]
	if err := got.Save(root); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(filepath.Join(root, LockFileName)); string(again) != text {
		t.Errorf("the same lock has another text:\n%s", again)
	}
	if got.Image("lxc debian:trixie amd64").Digest != "sha256:2" || got.Image("lxc debian:trixie arm64") != nil ||
		got.Plugin("provider local amd64").SHA256 != "55" || got.Plugin("provider motd amd64") != nil ||
		got.Box("web").Step("a").Open == "" || got.Box("web").Step("b") != nil || got.Box("x") != nil {
		t.Error("an entry is not found by its key")
	}
	for text, want := range map[string]string{
		`{"version": 1, "images": [{"image": "x"}, {"image": "x"}]}`:                       `two entries for image "x"`,
		`{"version": 1, "plugins": [{"name": "p"}, {"name": "p"}]}`:                        `two entries for "" plugin "p"`,
		`{"version": 1, "boxes": [{"box": "a"}, {"box": "a"}]}`:                            `two entries for box "a"`,
		`{"version": 1, "boxes": [{"box": "a", "steps": [{"step": "s"}, {"step": "s"}]}]}`: `two entries for step "s" of box "a"`,
		`{"version": 1, "boxes": [{"box": "a", "steps": {"s": 1}}]}`:                       "berth lock --update",
		"{": "berth lock --update", `{"version": 2}`: "update Berth", `{}`: "has version 0",
	} {
		if err := os.WriteFile(filepath.Join(root, LockFileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadLockFile(root); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
