package lxc

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider/lxc/archive"
)

// mergedEnv has the test binary write an archive of layers: the folder they are in.
const mergedEnv = "BERTH_TEST_MERGED"

// TestMergedCall is no test: it is what another one runs in a user namespace, as a
// user's plugin is.
func TestMergedCall(t *testing.T) {
	dir := os.Getenv(mergedEnv)
	if dir == "" {
		t.Skip("it is for another test")
	}
	writeMerged(t, &lxcProvider{mode: userMode{}}, dir)
}

// writeMerged makes two layers with marks of the mode's overlay, and writes an
// archive of them.
func writeMerged(t *testing.T, p *lxcProvider, dir string) {
	t.Helper()
	top, base := filepath.Join(dir, "top"), filepath.Join(dir, "base")
	out, err := os.OpenFile(filepath.Join(dir, "out"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	write := func(name, text string) error { return os.WriteFile(name, []byte(text), 0o640) }
	err = errors.Join(os.MkdirAll(top+"/opaque", 0o755), os.MkdirAll(base+"/opaque", 0o755), os.MkdirAll(base+"/etc", 0o755),
		write(base+"/gone", "x"), write(base+"/opaque/hidden", "x"), write(base+"/old", "old"), write(base+"/etc/hostname", "me"),
		write(base+"/both", "base"), write(top+"/both", "top"), write(top+"/opaque/new", "x"),
		os.Lchown(top+"/both", 1000, 65534), unix.Mknod(top+"/gone", unix.S_IFCHR, 0),
		unix.Setxattr(top+"/opaque", p.overlayAttrs()+"opaque", []byte("y"), 0))
	if err != nil {
		t.Fatal(err)
	}
	err = p.inMerged([]string{top, base}, func(root string) error {
		return archive.Write(t.Context(), out, root, archive.Meta{Arch: "amd64"}, packed)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Layers are written as what they are together, by root and by a user in its
// namespace, with the same sum of it all.
func TestMerged(t *testing.T) {
	testenv.NeedRoot(t)
	sums := map[string]bool{}
	for _, who := range []string{"root", "user"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "out"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if who == "root" {
			writeMerged(t, &lxcProvider{mode: rootMode{}}, dir)
		} else {
			cmd := exec.Command(os.Args[0], "-test.run=^TestMergedCall$")
			cmd.Env = append(os.Environ(), mergedEnv+"="+dir)
			ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}}
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		b, err := os.ReadFile(filepath.Join(dir, "out"))
		if err != nil {
			t.Fatal(err)
		}
		got := t.TempDir()
		root, err := os.Open(got)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Extract(t.Context(), bytes.NewReader(b), root, archive.Limits{}); err != nil {
			t.Fatal(err)
		}
		root.Close()
		out, err := exec.Command("sh", "-c", `cd "$1" && find . -printf '%P %m %U:%G %s\n' | sort && cat both`, "sh", got).CombinedOutput()
		want := " 755 0:0 4096\nboth 640 1000:65534 3\netc 755 0:0 4096\netc/hostname 640 0:0 0\nold 640 0:0 3\nopaque 755 0:0 4096\nopaque/new 640 0:0 1\ntop"
		if text := strings.TrimSpace(" " + string(out)); err != nil || text != strings.TrimSpace(want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", who, err, text, want)
		}
		sum, _, err := treeDigest(t.Context(), got)
		if err != nil {
			t.Fatal(err)
		}
		sums[sum] = true
	}
	if len(sums) != 1 {
		t.Errorf("root's and a user's archive of the same differ: %v", sums)
	}
}
