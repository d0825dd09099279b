package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestMatchesPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		isDir, want   bool
	}{
		{"node_modules/", "node_modules", true, true},
		{"node_modules/", "a/b/node_modules", true, true},
		{"node_modules/", "node_modules", false, false},
		{"*.o", "src/x.o", false, true},
		{"*.o", "src/x.c", false, false},
		{"/build", "build", true, true},
		{"/build", "sub/build", true, false},
		{"a/b", "x/a/b", false, true},
		{"a/b", "x/a/c", false, false},
		{"- tmp", "tmp", true, true},
		{"a/**/b", "a/x/b", false, false}, // not known: rsync decides
		{"[", "[", false, false},
	} {
		if got := matchesPattern(tt.pattern, tt.name, tt.isDir); got != tt.want {
			t.Errorf("%q matches %q: %v", tt.pattern, tt.name, got)
		}
	}
	w := &treeWatcher{root: "/p", exclude: []string{"/.berth", "out/"}}
	for name, want := range map[string]bool{"/p": false, "/p/.berth/id": true, "/p/a/out/b/c": true, "/p/a/out": false, "/p/a": false} {
		if got := w.excluded(name, false); got != want {
			t.Errorf("%s is excluded: %v", name, got)
		}
	}
	w.exclude = []string{"+ out/keep", "out/"}
	if w.excluded("/p/out/keep", false) {
		t.Error("what a pattern lets in again is excluded")
	}
}

// TestWatchTree: what is seen, and what is not.
func TestWatchTree(t *testing.T) {
	root := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(root, "src"), 0o755))
	must(os.MkdirAll(filepath.Join(root, "out/deep"), 0o755))
	w, err := watchTree(root, []string{"out/", "*.tmp"})
	must(err)
	defer w.Close()
	write := func(name string) { t.Helper(); must(os.WriteFile(filepath.Join(root, name), []byte("x"), 0o644)) }
	sees := func(what string, want bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 4*quiet)
		defer cancel()
		err := w.wait(ctx)
		if seen := err == nil; seen != want || !seen && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s was seen: %v (%v)", what, seen, err)
		}
	}
	write("src/a")
	sees("a file", true)
	sees("nothing", false)
	write("out/b")
	write("out/deep/b")
	write("src/c.tmp")
	sees("what is excluded", false)
	must(os.MkdirAll(filepath.Join(root, "new/er"), 0o755))
	sees("a folder", true)
	write("new/er/f")
	sees("a file in a new folder", true)
	must(os.Remove(filepath.Join(root, "src/a")))
	sees("a removed file", true)

	// Changes that never stop are copied all the same.
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(quiet / 10):
				os.WriteFile(filepath.Join(root, "src/log"), []byte(time.Now().String()), 0o644)
			}
		}
	}()
	begin := time.Now()
	must(w.wait(t.Context()))
	if d := time.Since(begin); d > 2*putOff {
		t.Errorf("put off for %v", d)
	}
	close(stop)
	<-done
}
