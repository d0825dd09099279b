package forward

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// boxLink makes a symbolic link as a box would, in place of a folder.
func boxLink(t *testing.T, target, at string) {
	t.Helper()
	if err := os.Rename(at, at+".old"); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.Symlink(target, at); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Lchown(at, 1234, 1234); err != nil {
			t.Fatal(err)
		}
	}
}

// ownFolders makes folders in one of the test's own.
func ownFolders(t *testing.T, names ...string) string {
	t.Helper()
	top := t.TempDir()
	for _, n := range names {
		if err := os.MkdirAll(filepath.Join(top, n), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

// A box that has the folder of a socket puts a link in its place: neither the
// forwarder's end nor what is removed afterwards touches what the link leads to.
func TestNothingBehindALinkIsRemoved(t *testing.T) {
	b := newBox(t)
	top := ownFolders(t, "project/run", "keys")
	file, socket := filepath.Join(top, "keys/a"), filepath.Join(top, "keys/b")
	if err := os.WriteFile(file, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	dead := must(net.Listen("unix", socket)).(*net.UnixListener)
	dead.SetUnlinkOnClose(false)
	dead.Close()
	rules := []Rule{{Name: "a", Guest: ":80"}, {Name: "b", Guest: ":80"}}
	for i := range rules {
		rules[i].Want = filepath.Join(top, "project/run", rules[i].Name)
	}
	f := b.run(false, rules...)
	boxLink(t, filepath.Join(top, "keys"), filepath.Join(top, "project/run"))
	f.stop()
	if err := (&Plan{Rules: f.cfg.Rules}).removePaths(); err != nil {
		t.Errorf("what a box has done keeps it from being halted: %v", err)
	}
	for _, path := range []string{file, socket} {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
}

// A socket is not bound, looked for or given away through a box's link, and one of
// root's is followed.
func TestBindThroughLink(t *testing.T) {
	top := ownFolders(t, "project", "etc")
	boxLink(t, filepath.Join(top, "etc"), filepath.Join(top, "project/run"))
	path := filepath.Join(top, "project/run/s")
	r := Rule{Protocol: "tcp", Want: path}
	_, err := Bind(r, nil)
	for _, err := range []error{err, CheckPath(path)} {
		if err == nil || !strings.Contains(err.Error(), filepath.Join(top, "project/run")+" is a symbolic link") {
			t.Errorf("through a box's link: %v", err)
		}
	}
	if entries := must(os.ReadDir(filepath.Join(top, "etc"))); len(entries) > 0 {
		t.Errorf("made: %v", entries)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Lchown(filepath.Join(top, "project/run"), 0, 0); err != nil {
		t.Fatal(err)
	}
	s := must(Bind(r, nil))
	defer s.Close()
	if st, err := os.Lstat(filepath.Join(top, "etc/s")); err != nil || st.Mode().Type() != os.ModeSocket {
		t.Errorf("through root's link: %v", err)
	}
	if err := os.Remove(filepath.Join(top, "etc/s")); err != nil {
		t.Fatal(err)
	}
	other := must(net.Listen("unix", filepath.Join(top, "etc/s")))
	defer other.Close()
	if err := s.Chown(1234, 1234); err == nil {
		t.Error("another socket was given away")
	}
}

// What a box reaches of the host by a reversed forward is not for the box to say.
func TestReverseThroughLink(t *testing.T) {
	top := ownFolders(t, "project", "run")
	echo(t, "unix", filepath.Join(top, "run/engine.sock"))
	boxLink(t, filepath.Join(top, "run/engine.sock"), filepath.Join(top, "project/s"))
	c, err := dialPath(t.Context(), filepath.Join(top, "project/s"))
	if err == nil {
		c.Close()
		t.Fatal("the box has chosen a socket of the host")
	}
	t.Log(err)
	c = must(dialPath(t.Context(), filepath.Join(top, "run/engine.sock")))
	c.Close()
}

// A box can lock a folder that it has.
func TestLockedFolder(t *testing.T) {
	top := ownFolders(t, "run")
	f := must(os.Open(filepath.Join(top, "run")))
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s := must(Bind(Rule{Protocol: "tcp", Want: filepath.Join(top, "run/s")}, nil))
	s.Close()
}

func TestLongName(t *testing.T) {
	top := ownFolders(t)
	for n, ok := range map[int]bool{maxName: true, maxName + 1: false} {
		s, err := Bind(Rule{Protocol: "tcp", Want: filepath.Join(top, strings.Repeat("x", n))}, nil)
		if ok != (err == nil) {
			t.Errorf("%d: %v", n, err)
		}
		if s != nil {
			s.Close()
		}
	}
}
