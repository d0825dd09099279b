package lxc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// A filesystem that cannot map ids is an error that says what to do, before
// anything is made.
func TestRealFolderUnmappable(t *testing.T) {
	p, spec := realProvider(t)
	dir := t.TempDir()
	if err := unix.Mount("ramfs", dir, "ramfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	spec.Folders = []provider.Folder{{Source: dir, Target: "/work"}}
	err := p.Create(t.Context(), spec, nil)
	var bad *provider.ArgError
	if !errors.As(err, &bad) || bad.Arg != "box.folder./work" || !strings.Contains(err.Error(), `(ramfs)`) ||
		!strings.Contains(err.Error(), `type = "rsync"`) {
		t.Errorf("got %v", err)
	}
	if _, err := p.Inspect(t.Context(), spec.ID); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("something was made: %v", err)
	}
}

// The protection of a file ends when the host replaces it, and is back with the
// next start. docs/envfile.md says so; should a kernel change it, so must they.
func TestRealFolderReplacedOnHost(t *testing.T) {
	p, spec := realProvider(t)
	dir := ownedFolder(t, "Envfile", "new")
	startWith(t, p, &spec, provider.Folder{Source: dir, Target: "/work", Protect: []string{"Envfile"}})
	// In place is the same file.
	if err := os.WriteFile(filepath.Join(dir, "Envfile"), []byte("edited\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	denied(t, p, spec.ID, "Read-only file system", "grep edited /work/Envfile && echo x >>/work/Envfile")
	if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "Envfile")); err != nil {
		t.Fatal(err)
	}
	allowed(t, p, spec.ID, asDev("echo x >>/work/Envfile"))
	if err := p.Stop(t.Context(), spec.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	denied(t, p, spec.ID, "Read-only file system", "echo x >>/work/Envfile")
}

// waitForFile is a program that says when a file in its working directory is
// written (inotify(7): IN_CLOSE_WRITE), which it only sees as an event.
const waitForFile = `python3 -c '
import ctypes, os, select, sys
c = ctypes.CDLL(None)
fd = c.inotify_init()
assert c.inotify_add_watch(fd, b"/work", 8) >= 0
open("/work/ready", "w").close()
os.read(fd, 4096)
ok = select.select([fd], [], [], 5)[0] and b"from-host" in os.read(fd, 4096)
sys.exit(0 if ok else 1)'`

// A box sees the host's changes as events, which editors and servers wait for.
func TestRealFolderEvents(t *testing.T) {
	p, spec := realProvider(t)
	dir := ownedFolder(t)
	startWith(t, p, &spec, provider.Folder{Source: dir, Target: "/work"})
	done := make(chan error, 1)
	go func() { _, err := inBox(t, p, spec.ID, waitForFile); done <- err }()
	for range 100 {
		if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	begin := time.Now()
	if err := os.WriteFile(filepath.Join(dir, "from-host"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the box saw nothing: %v", err)
	}
	t.Logf("seen after %v", time.Since(begin))
}
