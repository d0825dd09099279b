package layer_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider/lxc/deep"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

// What is left out and what is edited stays so in the layer above, where nothing
// else has changed.
func TestSkipAndEdit(t *testing.T) {
	testenv.NeedRoot(t)
	dir := t.TempDir()
	upper := filepath.Join(dir, "upper")
	mustOpenDir(t, filepath.Join(upper, "etc"))
	for name, text := range map[string]string{"etc/hosts": "a\nmine\n", "etc/machine-id": "1\n", "etc/motd": "mine\n"} {
		if err := os.WriteFile(filepath.Join(upper, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w := layer.Writer{
		Attrs: layer.RootAttrs,
		Skip:  func(path string) bool { return path == "etc/machine-id" },
		Edit:  map[string]func(string) string{"etc/hosts": func(s string) string { return strings.ReplaceAll(s, "mine\n", "") }},
	}
	time.Sleep(40 * time.Millisecond)
	for _, c := range []struct{ layer, hosts, motd string }{{"layer1", "a\n", "mine\n"}, {"layer2", "a\n", ""}} {
		out := mustOpenDir(t, filepath.Join(dir, c.layer))
		w.Cutoff = layer.CutoffAt(time.Now())
		top, err := w.Look(t.Context(), upper, int(out.Fd()), nil, true)
		if err != nil {
			t.Fatal(err)
		}
		w.Beneath, w.BeneathCutoff = top, w.Cutoff
		for name, want := range map[string]string{"etc/hosts": c.hosts, "etc/motd": c.motd, "etc/machine-id": ""} {
			if got, _ := os.ReadFile(filepath.Join(out.Name(), name)); string(got) != want {
				t.Errorf("%s has %q in %s, want %q", c.layer, got, name, want)
			}
		}
	}
}

func TestSum(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layer")
	at := time.Unix(1700000000, 0)
	file := filepath.Join(dir, "sub", "file")
	mustOpenDir(t, filepath.Join(dir, "sub"))
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{file, filepath.Dir(file), dir} {
			if err := os.Chtimes(p, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	sum := func() string {
		s, err := layer.Sum(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	write("one")
	first := sum()
	for name, change := range map[string]func() error{
		"its size":  func() error { return os.WriteFile(file, []byte("more"), 0o644) },
		"its time":  func() error { return os.Chtimes(file, at, at.Add(1)) },
		"its mode":  func() error { return os.Chmod(file, 0o600) },
		"a new one": func() error { return os.WriteFile(file+"2", nil, 0o644) },
		"its name":  func() error { return os.Rename(file, file+"3") },
		"the type":  func() error { return os.Symlink("x", file+"4") },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if sum() == first {
			t.Errorf("%s has changed, and the sum is the same", name)
		}
		if err := os.RemoveAll(filepath.Dir(file)); err != nil {
			t.Fatal(err)
		}
		mustOpenDir(t, filepath.Dir(file))
		write("one")
		if sum() != first {
			t.Errorf("after %s the tree is as it was, and the sum is not", name)
		}
	}
}

func TestDiskUse(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	one, err := layer.DiskUse(t.Context(), dir)
	if err != nil || one < 1<<20 {
		t.Fatalf("%d, %v", one, err)
	}
	if err := os.Link(file, filepath.Join(dir, "again")); err != nil {
		t.Fatal(err)
	}
	if two, err := layer.DiskUse(t.Context(), dir); two != one || err != nil {
		t.Errorf("a second name makes %d of %d, %v", two, one, err)
	}
	if none, err := layer.DiskUse(t.Context(), filepath.Join(dir, "none")); none != 0 || err != nil {
		t.Errorf("what is not there: %d, %v", none, err)
	}
}

// Folders that are deeper than a process may have files open are counted, and
// refused in a layer by a message that says so.
func TestDeep(t *testing.T) {
	top, out := t.TempDir(), t.TempDir()
	testenv.Deep(t, top, 3000)
	defer func() {
		if err := deep.Remove(filepath.Join(top, "d")); err != nil {
			t.Error(err)
		}
	}()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	few := old
	few.Cur = 1200
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(top, "d"), &st); err != nil {
		t.Fatal(err)
	}
	if size, err := layer.DiskUse(t.Context(), top); err != nil || size < 3000*st.Blocks*512 {
		t.Errorf("%d bytes, %v", size, err)
	}
	if _, err := layer.Sum(t.Context(), top); err != nil {
		t.Error(err)
	}
	o, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	w := &layer.Writer{Attrs: layer.RootAttrs}
	if _, err := w.Look(t.Context(), top, int(o.Fd()), nil, true); !errors.Is(err, layer.ErrDeep) {
		t.Errorf("a layer of them: %v", err)
	}
}
