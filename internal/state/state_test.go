package state

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
)

func TestLockNamesItsHolder(t *testing.T) {
	h, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := h.Lock("p-web-1", "berth up web", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Lock("p-web-1", "berth halt", nil)
	var locked *LockedError
	if !errors.As(err, &locked) || locked.Holder.PID != os.Getpid() || locked.Holder.Command != "berth up web" {
		t.Errorf("got %v", err)
	}
	unlock()
	if _, err := os.Stat(h.boxDir("p-web-1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock of a box without a record is left: %v", err)
	}
}

// Who needs the lock for a moment keeps nobody from it.
func TestLockWaitsForABriefHolder(t *testing.T) {
	h, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := h.LockBriefly("p-web-1", "berth status", nil)
	if err != nil {
		t.Fatal(err)
	}
	var ended atomic.Bool
	go func() {
		time.Sleep(100 * time.Millisecond)
		ended.Store(true)
		unlock()
	}()
	again, err := h.Lock("p-web-1", "berth up", nil)
	if err != nil || !ended.Load() {
		t.Fatalf("the lock was had with %v, while it was held: %v", err, !ended.Load())
	}
	again()
}

// A full disk keeps nobody from the lock: destroy makes room.
func TestLockOnAFullDisk(t *testing.T) {
	testenv.NeedRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	h, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	const id = "p-web-1"
	if err := h.Save(&Record{ID: id}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "full"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	unlock, err := h.Lock(id, "berth destroy", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	var locked *LockedError
	if _, err := h.Lock(id, "berth up", nil); !errors.As(err, &locked) {
		t.Errorf("a second command has the lock too: %v", err)
	}
}

// The lock of a holder that was killed is free once its plugins have ended too.
func TestLockOutlastsWorkers(t *testing.T) {
	h, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const id = "p-web-1"
	if err := h.Save(&Record{ID: id}); err != nil {
		t.Fatal(err)
	}
	worker := exec.Command("sleep", "60")
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan time.Time, 1)
	go func() {
		time.Sleep(100 * time.Millisecond)
		ended <- time.Now()
		_ = worker.Process.Kill()
	}()
	stranger := WorkerOf(os.Getpid())
	stranger.Start += "0" // the number is in use again
	path := filepath.Join(h.boxDir(id), "lock")
	b, err := json.Marshal(Holder{PID: 1, Command: "berth up", Workers: []Worker{stranger, WorkerOf(worker.Process.Pid)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil { // as a killed berth leaves it
		t.Fatal(err)
	}
	unlock, err := h.Lock(id, "berth status", nil)
	if err != nil {
		t.Fatal(err)
	}
	if now := time.Now(); now.Before(<-ended) {
		t.Error("the lock was had while the worker was alive")
	}
	_ = worker.Wait()
	unlock()
	if b, err := os.ReadFile(path); err != nil || len(b) > 0 {
		t.Errorf("an orderly end leaves %q, %v", b, err)
	}
}

func TestProjectMovedAndCopied(t *testing.T) {
	h, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	a, b, c := filepath.Join(top, "a"), filepath.Join(top, "b"), filepath.Join(top, "c")
	if err := os.Mkdir(a, 0o755); err != nil {
		t.Fatal(err)
	}
	first, err := h.EnsureProject(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(a, b); err != nil {
		t.Fatal(err)
	}
	moved, known, err := h.FindProject(b)
	if err != nil || !known || moved.ID != first.ID || moved.Moved != a {
		t.Errorf("moved: %+v, %v, %v", moved, known, err)
	}
	if _, err := h.EnsureProject(b); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(c, os.DirFS(b)); err != nil {
		t.Fatal(err)
	}
	if _, known, err := h.FindProject(c); err != nil || known {
		t.Errorf("a copy has the boxes of the original: %v, %v", known, err)
	}
	if copied, err := h.EnsureProject(c); err != nil || copied.ID == first.ID {
		t.Errorf("a copy keeps the id: %+v, %v", copied, err)
	}
	if again, known, err := h.FindProject(b); err != nil || !known || again.ID != first.ID {
		t.Errorf("the original lost its id: %+v, %v", again, err)
	}
	// Where only a box says which folder is the original.
	if err := h.ForgetProject(first.ID); err != nil {
		t.Fatal(err)
	}
	if err := h.Save(&Record{ID: "web", ProjectID: first.ID, Root: b}); err != nil {
		t.Fatal(err)
	}
	d := filepath.Join(top, "d")
	if err := os.CopyFS(d, os.DirFS(b)); err != nil {
		t.Fatal(err)
	}
	if _, known, err := h.FindProject(d); err != nil || known {
		t.Errorf("a copy of a project without an entry has its boxes: %v, %v", known, err)
	}
}

func TestProjectFolderIsUntrusted(t *testing.T) {
	h, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	root := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(root, ".berth")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.EnsureProject(root); err == nil {
		t.Error("a link out of the project was followed")
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("written outside: %v", entries)
	}
	root = t.TempDir()
	if err := os.Mkdir(filepath.Join(root, ".berth"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, ".berth/id"), []byte("../../x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.FindProject(root); err == nil || !strings.Contains(err.Error(), "holds no id") {
		t.Errorf("got %v", err)
	}
}

func TestBoxIDOutlivesTheProjectsName(t *testing.T) {
	h, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	id, err := h.BoxID("p", "a-very-long-name-of-a-project", "web")
	if err != nil || len(id) > 60 {
		t.Fatalf("got %q, %v", id, err)
	}
	if err := h.Save(&Record{ID: id, ProjectID: "p", Name: "web"}); err != nil {
		t.Fatal(err)
	}
	if again, err := h.BoxID("p", "renamed", "web"); err != nil || again != id {
		t.Errorf("got %q, %v; want %q", again, err, id)
	}
	if other, _ := h.BoxID("q", "renamed", "web"); other == id {
		t.Error("two projects share a box")
	}
}

func TestRecordFromTheFutureIsRefused(t *testing.T) {
	h, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(h.boxDir("x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.boxDir("x"), "box.json"), []byte(`{"version": 99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Load("x"); err == nil || !strings.Contains(err.Error(), "made by a newer Berth") {
		t.Errorf("got %v", err)
	}
}
