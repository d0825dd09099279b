package lxc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider"
)

// fakeBuilder puts a mmdebstrap of the test's own into $PATH: a shell script
// whose $dir is the folder to fill.
func fakeBuilder(t *testing.T, script string) {
	t.Helper()
	testenv.NeedRoot(t) // it runs in namespaces
	bin := t.TempDir()
	text := "#!/bin/sh\nfor dir; do :; done\n" + script
	if err := os.WriteFile(filepath.Join(bin, "mmdebstrap"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

func steps(into *[]string) provider.Report {
	var mu sync.Mutex
	return func(e provider.Event) {
		mu.Lock()
		defer mu.Unlock()
		*into = append(*into, e.Text)
	}
}

// Two commands that want the same image build it once.
func TestImageIsBuiltOnce(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	t.Setenv("RUNS", runs)
	fakeBuilder(t, `echo run >>"$RUNS"; mkdir -p "$dir/etc"; echo "I: working..." >&2; sleep 0.3`)
	dir := t.TempDir()
	var layers [2]string
	var news [2][]string
	var all sync.WaitGroup
	for i := range layers {
		all.Go(func() {
			img, err := Open(dir).(*lxcProvider).image(t.Context(), "debian:bookworm", steps(&news[i]))
			if err != nil {
				t.Error(err)
			}
			layers[i] = img.Layer
		})
	}
	all.Wait()
	if b, _ := os.ReadFile(runs); string(b) != "run\n" {
		t.Errorf("it was built so often: %q", b)
	}
	if layers[0] == "" || layers[0] != layers[1] {
		t.Errorf("the layers are %q", layers)
	}
	told := strings.Join(append(news[0], news[1]...), "; ")
	if !strings.Contains(told, "wait for another berth") || !strings.Contains(told, "working") {
		t.Errorf("the user was told %q", told)
	}
}

// A build that fails or is given up says why and leaves nothing but its lock.
func TestImageBuildFails(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"full disk", `mkdir "$dir"; echo "E: write: No space left on device" >&2; exit 1`, "The disk is full"},
		{"no network", `mkdir "$dir"; echo "E: Could not connect to mirror.example:80" >&2; exit 1`, "The Debian mirror cannot be reached"},
		{"bad signature", `mkdir "$dir"; echo "E: The repository is not signed." >&2; exit 1`, "Install debian-archive-keyring"},
		{"interrupted", `mkdir "$dir"; echo "I: working" >&2; sleep 60`, context.Canceled.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fakeBuilder(t, tt.script)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := Open(t.TempDir()).(*lxcProvider)
			begin := time.Now()
			_, err := p.image(ctx, "debian:bookworm", func(e provider.Event) {
				if e.Text == "working" {
					cancel()
				}
			})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if time.Since(begin) > 30*time.Second {
				t.Error("it waited for the builder")
			}
			left, _ := filepath.Glob(filepath.Join(p.store.root, "*", "*"))
			hidden, _ := filepath.Glob(filepath.Join(p.store.root, "*", ".*"))
			for _, path := range append(left, hidden...) {
				if !strings.HasSuffix(path, ".lock") {
					t.Errorf("%s is left", path)
				}
			}
		})
	}
}

// What a build that was killed has left is swept by the next one.
func TestImageBuildAfterAKill(t *testing.T) {
	fakeBuilder(t, `test ! -e "$dir" || exit 3; mkdir -p "$dir/etc"`)
	p := Open(t.TempDir()).(*lxcProvider)
	stale := filepath.Join(p.store.layers(), ".new-bookworm-"+recipeKey("bookworm", ""))
	if err := os.MkdirAll(filepath.Join(stale, "half"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := p.image(t.Context(), "debian:bookworm", nil); err != nil {
		t.Error(err)
	}
}

// A data folder on a full disk: the kernel's error comes through with its place.
func TestFullDisk(t *testing.T) {
	fakeBuilder(t, `mkdir "$dir" && head -c 4194304 /dev/zero >"$dir/big"`)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	_, err := Open(dir).(*lxcProvider).image(t.Context(), "debian:bookworm", nil)
	if err == nil || !strings.Contains(err.Error(), "The disk is full: an image needs about") {
		t.Errorf("error %v", err)
	}
}

func TestUnknownImage(t *testing.T) {
	for _, name := range []string{"debian", "debian:potato", "ubuntu:noble", "debian:../../etc"} {
		_, err := Open(t.TempDir()).(*lxcProvider).image(t.Context(), name, nil)
		var arg *provider.ArgError
		if !errors.As(err, &arg) || arg.Arg != "box.image" || !errors.Is(err, provider.ErrImage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
