package deep_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/deep"
)

// dig makes folders in folders, each with a file and a folder beside the next.
func dig(t *testing.T, top string, n int) {
	t.Helper()
	d, err := unix.Open(top, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	for range n {
		if err == nil {
			err = unix.Mkdirat(d, "d", 0o755)
		}
		if err == nil {
			err = unix.Mkdirat(d, "x", 0o755)
		}
		if err == nil {
			err = unix.Symlinkat("/", d, "y")
		}
		if err != nil {
			t.Fatal(err)
		}
		e, openErr := unix.Openat(d, "d", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		unix.Close(d)
		d, err = e, openErr
	}
	unix.Close(d)
}

// withFew runs f with a limit of open files that a descriptor a level is beyond.
func withFew(t *testing.T, f func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	few := old
	few.Cur = 256
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

// Folders that are deeper than a process may have files open, and than a path may
// be long, are removed like others.
func TestRemove(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(dir, "outside")
	top := filepath.Join(dir, "top")
	for _, d := range []string{outside, top, top + "/.deep-1", top + "/.deep-2/x"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(outside+"/file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, top+"/link"); err != nil {
		t.Fatal(err)
	}
	dig(t, top, 2000)
	withFew(t, func() {
		if err := deep.Remove(top); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Lstat(top); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := os.Lstat(outside + "/file"); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
	for _, none := range []string{top, top + "/below"} {
		if err := deep.Remove(none); err != nil {
			t.Errorf("remove nothing: %v", err)
		}
	}
}

// A walk comes by everything, once, however deep it is.
func TestWalk(t *testing.T) {
	top := t.TempDir()
	const depth = 1000
	dig(t, top, depth)
	defer func() {
		if err := deep.Remove(top + "/d"); err != nil {
			t.Error(err)
		}
	}()
	seen, left := map[string]int{}, 0
	w := deep.Walk{
		Visit: func(dir int, name string) (bool, error) {
			var st unix.Stat_t
			err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
			seen[name]++
			return st.Mode&unix.S_IFMT == unix.S_IFDIR, err
		},
		Leave: func(dir int, name string) error {
			left++
			return unix.Fstatat(dir, name, &unix.Stat_t{}, unix.AT_SYMLINK_NOFOLLOW)
		},
	}
	withFew(t, func() {
		fd, err := unix.Open(top, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := w.In(fd); err != nil {
			t.Error(err)
		}
	})
	if got := fmt.Sprint(seen, left); got != fmt.Sprintf("map[d:%d x:%[1]d y:%[1]d] %d", depth, 2*depth) {
		t.Error(got)
	}
}

// What moves while a lenient walk is in it is left out, and the rest is not.
func TestWalkMoved(t *testing.T) {
	top := t.TempDir()
	dig(t, top, 150)
	moved, last := false, false
	if err := os.Mkdir(top+"/z", 0o755); err != nil {
		t.Fatal(err)
	}
	depth := 0
	w := deep.Walk{Lenient: true, Visit: func(dir int, name string) (bool, error) {
		last = last || name == "z"
		if name != "d" {
			return false, nil
		}
		if depth++; depth == 120 {
			var at string
			for range 100 {
				at += "/d"
			}
			moved = os.Rename(top+at, top+"/elsewhere") == nil
		}
		return true, nil
	}}
	fd, err := unix.Open(top, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := w.In(fd); err != nil {
		t.Error(err)
	}
	if !moved || !last {
		t.Errorf("moved %v, the rest visited %v", moved, last)
	}
}
