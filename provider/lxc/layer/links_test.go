package layer_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

// Names of one file stay names of one file in a box that is made from a
// checkpoint, and no other file takes their place, whatever was moved since the
// checkpoint before, or while this one was being made.
func TestKeepLinks(t *testing.T) {
	testenv.NeedRoot(t)
	const two = "mkdir -p a/in b; echo one >a/in/x; ln a/in/x b/y"
	for _, row := range []struct{ name, first, then, meanwhile string }{
		{"nothing", two, ":", ":"},
		{"a folder moves", two, "mv a c", ":"},
		{"a folder moves, and its name comes before", two, "mv b 0", ":"},
		{"a folder moves to the top of all", "mkdir a; echo one >a/x; ln a/x y", "mv a c", ":"},
		{"both move", two, "mv a c; mv b d", ":"},
		{"a folder moves meanwhile", two, ":", "mv a c"},
		{"a folder moves meanwhile, and another takes its place", two, ":", "mv a c; mkdir -p a/in; echo other >a/in/x"},
		{"a new folder moves meanwhile, and another takes its place", ":", two, "mv b c; mkdir b; echo other >b/y"},
		{"a new folder moves meanwhile, and a link takes its place", ":", two, "mv b c; ln -s a/in b"},
		{"a folder moves twice", two, "mv a c", "mv c a"},
		{"one name goes", two, "mv a c", "rm b/y"},
		{"one name comes", two, "mv a c", "ln c/in/x z"},
		{"three names in three folders", two + "; mkdir c; ln b/y c/z", "mv b d", "mv c e"},
		{"a pipe", "mkdir a b; mkfifo a/p; ln a/p b/q", "mv a c", ":"},
		{"a link", "mkdir a b; ln -s nowhere a/l; ln a/l b/m", "mv a c", ":"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			upper := filepath.Join(dir, "upper")
			beneath := keepTree(t, &layer.Writer{}, upper, filepath.Join(dir, "layer1"), row.first, ":")
			keepTree(t, beneath, upper, filepath.Join(dir, "layer2"), row.then, row.meanwhile)
			got, err := treeOfOverlay(dir, "layer2:layer1")
			if err != nil {
				t.Fatal(err)
			}
			want, err := treeOf(upper)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the files differ (-want +got):\n%s", diff)
			}
		})
	}
}

// keepTree changes a box's upper folder before and between two looks at it, which
// write a layer of what the layer beneath has not.
func keepTree(t *testing.T, beneath *layer.Writer, upper, dir, before, between string) *layer.Writer {
	t.Helper()
	w := &layer.Writer{Attrs: layer.RootAttrs, Beneath: beneath.Beneath, BeneathCutoff: beneath.BeneathCutoff}
	out := mustOpenDir(t, dir)
	mustOpenDir(t, upper)
	run := func(script string) {
		if out, err := exec.CommandContext(t.Context(), "sh", "-ec", "cd $0; "+script, upper).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", script, err, out)
		}
		time.Sleep(40 * time.Millisecond) // so that the next look takes the word of this one
	}
	run(before)
	w.Cutoff = layer.CutoffAt(time.Now())
	seen, err := w.Look(t.Context(), upper, int(out.Fd()), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	run(between)
	now, err := w.Look(t.Context(), upper, int(out.Fd()), seen, true)
	if err != nil {
		t.Fatal(err)
	}
	return &layer.Writer{Beneath: now, BeneathCutoff: w.Cutoff}
}

// treeOfOverlay lists what layers in dir show together. They are mounted for a
// thread of its own, which ends with this.
func treeOfOverlay(dir, layers string) (tree []string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good
		root := filepath.Join(dir, "merged")
		err = errors.Join(
			os.Mkdir(root, 0o755),
			unix.Unshare(unix.CLONE_NEWNS|unix.CLONE_FS),
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""),
			unix.Chdir(dir),
			unix.Mount("overlay", root, "overlay", unix.MS_RDONLY, "lowerdir="+layers+",index=off"))
		if err == nil {
			tree, err = treeOf(root)
		}
	}()
	<-done
	return tree, err
}

func mustOpenDir(t *testing.T, dir string) *os.File {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// notThere follows a name that a folder lists and does not have.
const notThere = " is not there"

// treeOf lists what is in a folder: when it was changed, what it holds, and the
// first of its names.
func treeOf(dir string) (tree []string, err error) {
	first := map[uint64]string{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		name := strings.TrimPrefix(path, dir)
		if err := unix.Lstat(path, &st); err == unix.ENOENT {
			tree = append(tree, name+notThere)
			return nil
		} else if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %o %d:%d mtime=%d", name, st.Mode, st.Uid, st.Gid, unix.TimespecToNsec(st.Mtim))
		if !d.IsDir() {
			if first[st.Ino] == "" {
				first[st.Ino] = name
			}
			line += fmt.Sprintf(" links=%d as=%s", st.Nlink, first[st.Ino])
		}
		if d.Type().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			of := make([]byte, 64)
			n, _ := unix.Getxattr(path, "user.of", of) // most have none
			line += " " + string(content) + " " + string(of[:max(n, 0)])
		}
		tree = append(tree, line)
		return nil
	})
	return tree, err
}
