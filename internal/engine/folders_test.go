package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/testenv"
)

// TestFolderPath: where a source is.
func TestFolderPath(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SUDO_UID", "")
	t.Setenv("HOME", "/home/someone")
	e := &Engine{Envfile: &config.Envfile{Root: link}}
	for source, want := range map[string]string{
		".": dir, "a/./b": dir + "/a/b", "..": filepath.Dir(dir), "/srv/x/": "/srv/x", "~": "/home/someone", "~/a": "/home/someone/a", "./~": dir + "/~",
	} {
		if got := e.folderPath(source); got != want {
			t.Errorf("%s is %s, want %s", source, got, want)
		}
	}
}

// TestHomeOfSudoUser: "~" is the home of who ran sudo, not root's.
func TestHomeOfSudoUser(t *testing.T) {
	testenv.NeedRoot(t)
	t.Setenv("HOME", "/root")
	t.Setenv("SUDO_UID", "65534")
	e := &Engine{Envfile: &config.Envfile{Root: t.TempDir()}}
	if want := homeOf(65534) + "/a"; e.folderPath("~/a") != want || strings.HasPrefix(want, "/root") {
		t.Errorf("~/a is %s, want %s", e.folderPath("~/a"), want)
	}
}

// TestLocalFile: an Envfile.local that came into being while a box could write
// it is refused until the user says that it is theirs.
func TestLocalFile(t *testing.T) {
	root := t.TempDir()
	local := filepath.Join(root, config.LocalFileName)
	write := func() {
		t.Helper()
		if err := os.WriteFile(local, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, ".berth"), 0o755); err != nil {
		t.Fatal(err)
	}
	e := &Engine{Envfile: &config.Envfile{Root: root}}
	give := func(f config.Folder) {
		t.Helper()
		if err := e.watchLocal(&config.Box{Folders: []config.Folder{f}}); err != nil {
			t.Fatal(err)
		}
	}
	work := config.Folder{Source: ".", Target: "/work", Type: config.FolderBind}
	write()
	give(work)
	if err := CheckLocal(root); err != nil {
		t.Errorf("one that was there before: %v", err)
	}
	os.Remove(local)
	readonly := work
	readonly.ReadOnly = true
	give(readonly)
	write()
	if err := CheckLocal(root); err != nil {
		t.Errorf("one that no box could write: %v", err)
	}
	os.Remove(local)
	give(work)
	if err := CheckLocal(root); err != nil {
		t.Errorf("none: %v", err)
	}
	write()
	err := CheckLocal(root)
	if err == nil || !strings.Contains(err.Error(), "rm "+filepath.Join(root, noLocal)) {
		t.Errorf("one that a box may have written: %v", err)
	}
	os.Remove(filepath.Join(root, noLocal))
	if err := CheckLocal(root); err != nil {
		t.Errorf("one that the user vouches for: %v", err)
	}
}
