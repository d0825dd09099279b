package lxc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

// overLayers is a box's disk over two layers, and the box as it is mounted.
type overLayers struct {
	t                  *testing.T
	p                  *lxcProvider
	kept, image, upper string
	ids                record
	certificates       []byte
}

func newOverLayers(t *testing.T) overLayers {
	t.Helper()
	testenv.NeedRoot(t)
	s := store{root: t.TempDir()}
	o := overLayers{t: t, p: &lxcProvider{store: s, mode: rootMode{}}, kept: s.layer("kept-1"), image: s.layer("img"),
		upper: filepath.Join(t.TempDir(), "upper"), ids: record{ID: "b1", Name: "b1", Layers: []string{"kept-1", "img"}}}
	for _, dir := range []string{o.kept, o.image, o.upper} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	o.certificates = testCertificate(t, "one")
	return o
}

// have makes a folder of a layer or the upper folder.
func (o overLayers) have(dir, name string, owner int, mode os.FileMode) {
	o.t.Helper()
	at := filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(at, 0o755), os.Chown(at, owner, owner), os.Chmod(at, mode)); err != nil {
		o.t.Fatal(err)
	}
}

func (o overLayers) seed(first bool, certificates []byte) {
	o.t.Helper()
	spec := provider.Spec{ID: "b1", User: "dev", Hostname: "b", CACertificates: certificates}
	if err := o.p.seed(o.upper, o.ids, spec, first); err != nil {
		o.t.Fatal(err)
	}
}

// inBox calls f with the box's files as the box sees them.
func (o overLayers) inBox(f func(root string)) {
	o.t.Helper()
	err := onOwnThread(func() error {
		return errors.Join(o.p.mountMerged([]string{o.upper, o.kept, o.image}), call(func() { f(stageRootfs) }))
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

func call(f func()) error { f(); return nil }

func statOf(t *testing.T, path string) (st unix.Stat_t) {
	t.Helper()
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return st
}

// What is written into a box that is made from a checkpoint changes nothing of the
// folders that it is in.
func TestFoldersStayAsInLayers(t *testing.T) {
	o := newOverLayers(t)
	o.have(o.image, "usr/local/share/ca-certificates", 0, 0o755)
	o.have(o.image, "etc/ssh", 0, 0o755)
	o.have(o.kept, "etc", 0, 0o751)
	o.have(o.kept, "etc/ssh", 7, 0o700)
	o.have(o.kept, "usr/local", 1000, 0o2775)
	o.have(o.kept, "", 0, 0o711)
	old := []unix.Timespec{{Sec: 1e9}, {Sec: 1e9}}
	for _, err := range []error{
		unix.Setxattr(o.kept+"/usr/local", "user.note", []byte("mine"), 0),
		unix.Setxattr(o.kept+"/etc/ssh", layer.RootAttrs+"opaque", []byte("y"), 0),
		unix.UtimesNanoAt(unix.AT_FDCWD, o.kept+"/usr/local", old, 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	o.seed(true, o.certificates)
	for name, from := range map[string]string{"": o.kept, "etc": o.kept, "etc/ssh": o.kept, "usr/local": o.kept, "usr/local/share": o.image} {
		want, got := statOf(t, from+"/"+name), statOf(t, o.upper+"/"+name)
		if want.Uid != got.Uid || want.Gid != got.Gid || want.Mode != got.Mode {
			t.Errorf("/%s was %d:%d %o and is %d:%d %o", name, want.Uid, want.Gid, want.Mode, got.Uid, got.Gid, got.Mode)
		}
	}
	if st := statOf(t, o.upper+"/usr/local"); st.Mtim.Sec != 1e9 {
		t.Errorf("/usr/local has changed at %d", st.Mtim.Sec)
	}
	value := make([]byte, 10)
	if n, err := unix.Getxattr(o.upper+"/usr/local", "user.note", value); err != nil || string(value[:n]) != "mine" {
		t.Errorf("its attribute is %q, %v", value, err)
	}
	if _, err := unix.Getxattr(o.upper+"/etc/ssh", layer.RootAttrs+"opaque", value); err == nil {
		t.Error("/etc/ssh hides what layers have, which only theirs did")
	}
	if st := statOf(t, o.upper+"/etc/ssh/authorized_keys.d"); st.Mode&0o7777 != 0o755 || st.Uid != 0 {
		t.Errorf("a folder that is new: %o of %d", st.Mode, st.Uid)
	}
}

// Where a box has a link on the way, it stays, and the file is where it leads.
func TestFolderLinks(t *testing.T) {
	o := newOverLayers(t)
	o.have(o.image, "usr/local/share", 0, 0o755)
	o.have(o.kept, "data/local/share/ca-certificates", 1000, 0o750)
	o.have(o.kept, "usr", 0, 0o755)
	for name, target := range map[string]string{"usr/local": "/data/../data/local", "data/local/share/ca-certificates/berth": "../mine"} {
		if err := os.Symlink(target, filepath.Join(o.kept, name)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // then all is there already
		o.seed(true, o.certificates)
		o.inBox(func(root string) {
			if target, err := os.Readlink(root + "/usr/local"); target != "/data/../data/local" {
				t.Errorf("the link leads to %q, %v", target, err)
			}
			if st := statOf(t, root+"/data/local/share/ca-certificates"); st.Uid != 1000 || st.Mode&0o7777 != 0o750 {
				t.Errorf("where it leads is %o of %d", st.Mode, st.Uid)
			}
			if all, err := filepath.Glob(root + "/data/local/share/mine/host-*.crt"); len(all) != 1 {
				t.Errorf("the certificates there: %v, %v", all, err)
			}
		})
	}
	o.seed(false, nil)
	o.inBox(func(root string) {
		if all, err := filepath.Glob(root + "/data/local/share/mine/*"); len(all) != 0 || err != nil {
			t.Errorf("certificates that are to be gone: %v, %v", all, err)
		}
	})
}

// What a box has removed, or replaced by what is no folder, stays gone.
func TestFoldersThatWereRemoved(t *testing.T) {
	o := newOverLayers(t)
	o.have(o.image, "usr/local/share/secret", 0, 0o755)
	o.have(o.image, "etc/ssh/secret", 0, 0o755)
	o.have(o.kept, "etc", 0, 0o755)
	o.have(o.upper, "usr", 0, 0o755)
	for _, err := range []error{
		unix.Mknod(o.upper+"/usr/local", unix.S_IFCHR, 0), unix.Mknod(o.kept+"/etc/ssh", unix.S_IFCHR, 0),
		os.WriteFile(o.upper+"/var", nil, 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	o.seed(true, o.certificates)
	o.inBox(func(root string) {
		for _, name := range []string{"usr/local/share/secret", "etc/ssh/secret"} {
			if _, err := os.Lstat(filepath.Join(root, name)); err == nil {
				t.Errorf("/%s is there again", name)
			}
		}
		for _, name := range []string{"etc/ssh/ssh_host_ed25519_key", certificatesMark} {
			if _, err := os.Lstat(filepath.Join(root, name)); err != nil {
				t.Error(err)
			}
		}
	})
}

// Links that lead in a circle are an error.
func TestFolderLinkCircle(t *testing.T) {
	upper := t.TempDir()
	if err := errors.Join(os.Symlink("b", upper+"/a"), os.Symlink("/a", upper+"/b")); err != nil {
		t.Fatal(err)
	}
	err := boxDisk{upper: openRoot(t, upper)}.write("a/file", "text", 0o644)
	if !errors.Is(err, unix.ELOOP) || !strings.Contains(err.Error(), "a") {
		t.Errorf("got %v", err)
	}
	if err := os.Symlink("../../../outside", upper+"/c"); err != nil {
		t.Fatal(err)
	}
	if err := (boxDisk{upper: openRoot(t, upper)}).write("c/file", "text", 0o644); err != nil || statOf(t, upper+"/outside/file").Size != 4 {
		t.Errorf("a link out of the box, which the box takes for one to its top: %v", err)
	}
}
