package layer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

// Over what is beneath, merged layers show what they showed one by one, whatever
// they hide of each other and of that.
func TestMerge(t *testing.T) {
	testenv.NeedRoot(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for round := range 30 {
		dir := t.TempDir()
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		names := []string{"base"}
		var paths []string
		randomFolder(t, r, filepath.Join(dir, "base"), false, 3)
		for i := range 2 + r.IntN(5) {
			name := fmt.Sprint("layer", i)
			randomFolder(t, r, filepath.Join(dir, name), true, 3)
			names = append([]string{name}, names...)
			paths = append([]string{filepath.Join(dir, name)}, paths...)
		}
		out := mustOpenDir(t, filepath.Join(dir, "flat"))
		w := &layer.Writer{Attrs: layer.RootAttrs}
		if err := w.Merge(t.Context(), paths, filepath.Join(dir, "base"), int(out.Fd())); err != nil {
			t.Fatal(err)
		}
		want, err := treeOfOverlay(dir, strings.Join(names, ":"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "merged")); err != nil {
			t.Fatal(err)
		}
		got, err := treeOfOverlay(dir, "flat:base")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(withoutCounts(real(want)), withoutCounts(got)); diff != "" {
			t.Fatalf("round %d: the files differ (-layers +merged):\n%s", round, diff)
		}
	}
}

var counts = regexp.MustCompile(` links=\d+`)

// withoutCounts leaves the numbers of links out: those of a layer count names that
// another one hides.
func withoutCounts(tree []string) []string {
	for i := range tree {
		tree[i] = counts.ReplaceAllString(tree[i], "")
	}
	return tree
}

// real leaves out whiteouts that are listed, since they hide nothing.
func real(tree []string) (all []string) {
	for _, line := range tree {
		if !strings.HasSuffix(line, notThere) {
			all = append(all, line)
		}
	}
	return all
}

// randomFolder makes what can be in a layer; marks says that there is something
// beneath to hide.
func randomFolder(t *testing.T, r *rand.Rand, dir string, marks bool, depth int) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755|os.FileMode(r.IntN(8))); err != nil {
		t.Fatal(err)
	}
	if marks && depth < 3 && r.IntN(4) == 0 {
		if err := unix.Setxattr(dir, layer.RootAttrs+"opaque", []byte("y"), 0); err != nil {
			t.Fatal(err)
		}
	}
	file := ""
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		at := filepath.Join(dir, name)
		var err error
		switch r.IntN(8) {
		case 0, 1:
			if depth > 0 {
				randomFolder(t, r, at, marks, depth-1)
			}
		case 2, 3:
			err = errors.Join(os.WriteFile(at, fmt.Append(nil, r.Uint32()), 0o640), unix.Setxattr(at, "user.of", fmt.Append(nil, r.Uint32()), 0),
				os.Chown(at, r.IntN(1000), r.IntN(1000)))
			file = at
		case 4:
			err = os.Symlink(fmt.Sprint(r.Uint32()), at)
		case 5:
			if file != "" {
				err = os.Link(file, at)
			}
		case 6:
			if marks {
				err = unix.Mknod(at, unix.S_IFCHR, 0)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	when := time.Unix(int64(r.IntN(1e9)), int64(r.IntN(1e9)))
	if err := os.Chtimes(dir, when, when); err != nil {
		t.Fatal(err)
	}
}
