package lxc

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/deep"
)

// goneStore is a store with two boxes that do not run.
func goneStore(t *testing.T) (*lxcProvider, string) {
	t.Helper()
	p := &lxcProvider{store: store{root: t.TempDir()}, mode: rootMode{}}
	for _, id := range []string{"one", "other"} {
		if err := p.store.save(record{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	return p, filepath.Join(p.store.boxes(), goneName+"old")
}

// A box that cannot be removed wholly keeps no other one from being removed.
func TestGoneOfOthers(t *testing.T) {
	p, old := goneStore(t)
	at := filepath.Join(old, "box")
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("needs root:", err)
	}
	defer unix.Unmount(at, 0)
	if err := p.remove("one"); err != nil {
		t.Errorf("remove a box beside what cannot be removed: %v", err)
	}
	if left, _ := filepath.Glob(p.store.boxes() + "/*"); len(left) != 2 { // the other one, and the leftover
		t.Errorf("left: %v", left)
	}
	unix.Unmount(at, 0)
	if err := p.remove("other"); err != nil {
		t.Error(err)
	}
	if exists(old) {
		t.Error("the leftover stays when it could be removed")
	}
}

// What a living process removes is left to it, and nobody waits for that.
func TestGoneInWork(t *testing.T) {
	p, old := goneStore(t)
	if err := os.MkdirAll(filepath.Join(old, "box"), 0o755); err != nil {
		t.Fatal(err)
	}
	g, err := openGone(old)
	if err != nil || g == nil {
		t.Fatal(g, err)
	}
	if err := p.remove("one"); err != nil {
		t.Error(err)
	}
	if err := p.Collect(t.Context(), provider.Collection{}, nil, nil); err != nil {
		t.Error(err)
	}
	if !exists(filepath.Join(old, "box")) {
		t.Error("what another one removes was removed")
	}
	if err := g.remove(); err != nil || exists(old) {
		t.Error(err)
	}
}

// While the files of a box go, the store's lock is free.
func TestGoneUnlocked(t *testing.T) {
	p, old := goneStore(t)
	if err := os.MkdirAll(filepath.Join(old, "box"), 0o755); err != nil {
		t.Fatal(err)
	}
	gone, leftovers, err := p.release("one")
	if err != nil || len(leftovers) != 1 {
		t.Fatal(leftovers, err)
	}
	done := make(chan error, 1)
	go func() {
		second, others, err := p.release("other")
		if len(others) > 0 {
			t.Errorf("claimed twice: %v", others)
		}
		if err == nil {
			err = second.remove()
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it waits")
	}
	sweep(leftovers)
	if err := gone.remove(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(p.store.boxes()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A box whose root has made folders in folders without end goes like any other,
// and so does what a cache has of it.
func TestDeepBox(t *testing.T) {
	p, _ := goneStore(t)
	cached := filepath.Join(p.store.cache("project"), ".new-1")
	for _, dir := range []string{p.store.file("one", "disk"), cached} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		testenv.Deep(t, dir, 2000)
	}
	defer deep.Remove(p.store.root)
	withFiles(t, 512, func() {
		if _, err := p.Space(t.Context()); err != nil {
			t.Errorf("df: %v", err)
		}
		if err := p.store.pruneCache("project", time.Now().Add(48*time.Hour)); err != nil || exists(cached) {
			t.Errorf("the cache: %.200v", err)
		}
		if err := p.remove("one"); err != nil {
			t.Errorf("remove: %.200v", err)
		}
	})
	if left, _ := filepath.Glob(p.store.boxes() + "/" + goneName + "*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// While a layer's files go, others keep their checkpoints, and no box is made of it.
func TestGoneLayer(t *testing.T) {
	p, _ := goneStore(t)
	for _, name := range []string{"kept-1", "kept-2"} {
		if err := os.MkdirAll(filepath.Join(p.store.layer(name), "in"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := writeJSON(p.store.sumFile(name), sum{}); err != nil {
			t.Fatal(err)
		}
	}
	reader, err := openGone(p.store.layer("kept-2"))
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := p.store.lockKept()
	if err != nil {
		t.Fatal(err)
	}
	gone, err := p.store.claimKept()
	unlock()
	if err != nil || len(gone) != 1 {
		t.Fatal(gone, err)
	}
	if err := p.store.saveUsing(record{ID: "one"}, []string{"kept-1"}); !errors.Is(err, provider.ErrNoCheckpoint) {
		t.Errorf("a box of what is being removed: %v", err)
	}
	if err := p.store.releaseKept(); err != nil {
		t.Error(err)
	}
	if !exists(gone[0].path) || !exists(p.store.layer("kept-2")) {
		t.Error("what another one removes, or reads, was removed")
	}
	sweep(gone)
	reader.f.Close()
	if err := p.store.releaseKept(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(p.store.keptLayers()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// withFiles runs f with a limit of open files.
func withFiles(t *testing.T, few uint64, f func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: few, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	f()
}
