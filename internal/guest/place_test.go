package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
)

// The name of a folder on the host is the one that was typed.
func TestCopyFromTypedName(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	c := g.(*box).client
	plant(t, s.home, "x/.ssh/authorized_keys", "data -> x/.ssh")
	home := t.TempDir()
	plant(t, home, ".ssh/authorized_keys")
	for _, src := range []string{"data", "~/data", s.home + "/data/", "./x/../data"} {
		if err := c.CopyFrom(t.Context(), src, home, CopyOptions{}); err != nil {
			t.Errorf("%s: %v", src, err)
		}
	}
	if b, _ := os.ReadFile(home + "/.ssh/authorized_keys"); string(b) != ".ssh/authorized_keys" {
		t.Errorf("the box has written the host's: %q", b)
	}
	if b, err := os.ReadFile(home + "/data/authorized_keys"); err != nil {
		t.Errorf("%q, %v", b, err)
	}
	// The home has no name but the box's.
	into := t.TempDir()
	if err := c.CopyFrom(t.Context(), "x/..", into, CopyOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(into, filepath.Base(s.home), "x/.ssh/authorized_keys")); err != nil {
		t.Error(err)
	}
}

// named is a box that says of all that it has the same name.
type named struct {
	sftp.FileLister
	name string
}

func (n named) RealPath(string) (string, error) { return n.name, nil }

func TestCopyFromHostileName(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	c := g.(*box).client
	for _, name := range []string{"/..", "..", ".", "/", "", "/x/.ssh", "/x/\x00"} {
		h := sftp.InMemHandler()
		h.FileList = named{h.FileList, name}
		s.sub = func(ch ssh.Channel) { sftp.NewRequestServer(ch, h).Serve() }
		top := t.TempDir()
		plant(t, top, "out/")
		err := c.CopyFrom(t.Context(), "/", top+"/out", CopyOptions{})
		if err == nil || !strings.Contains(err.Error(), "which is no name for it here") {
			t.Errorf("%q: %v", name, err)
		}
		if got := tree(t, top); len(got) != 1 {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestCopyFromIntoDevice(t *testing.T) {
	testenv.NeedRoot(t)
	t.Parallel()
	s, g, _ := local(t)
	c := g.(*box).client
	plant(t, s.home, "log", "tree/null")
	dir := t.TempDir()
	null := dir + "/null"
	if err := unix.Mknod(null, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal("make a device:", err)
	}
	for _, copied := range []error{
		c.CopyFrom(t.Context(), "log", null, CopyOptions{}),
		g.Download(t.Context(), "log", null),
		c.CopyFrom(t.Context(), "tree/null", dir, CopyOptions{}),
	} {
		if copied != nil {
			t.Error(copied)
		}
	}
	if err := c.CopyFrom(t.Context(), "tree/.", dir, CopyOptions{}); err == nil || !strings.Contains(err.Error(), "null on the host is a device, and a copy would replace it") {
		t.Errorf("a folder with a file of that name: %v", err)
	}
	if st, err := os.Lstat(null); err != nil || st.Mode()&os.ModeCharDevice == 0 {
		t.Errorf("it is a device no more: %v, %v", st, err)
	}
}

func TestCopyFromIntoPipe(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	c := g.(*box).client
	plant(t, s.home, "log")
	dir := t.TempDir()
	if err := unix.Mkfifo(dir+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	// /dev/stdout is such a link.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	plant(t, dir, fmt.Sprintf("stdout -> /proc/self/fd/%d", w.Fd()))
	got := make(chan string, 2)
	go func() {
		b, _ := os.ReadFile(dir + "/pipe")
		got <- string(b)
		b = make([]byte, len("log"))
		_, _ = io.ReadFull(r, b)
		got <- string(b)
	}()
	for _, dst := range []string{"pipe", "stdout"} {
		if err := c.CopyFrom(t.Context(), "log", dir+"/"+dst, CopyOptions{}); err != nil {
			t.Errorf("%s: %v", dst, err)
			continue
		}
		select {
		case b := <-got:
			if b != "log" {
				t.Errorf("%s: %q", dst, b)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: nothing came", dst)
		}
	}
	// Nobody reads this one.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := c.CopyFrom(ctx, "log", dir+"/pipe", CopyOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a pipe that nobody reads: %v", err)
	}
	if f, err := os.OpenFile(dir+"/pipe", os.O_RDONLY|unix.O_NONBLOCK, 0); err == nil { // lets the opening end
		f.Close()
	}
}

func TestCopyFromThroughLink(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	c := g.(*box).client
	plant(t, s.home, "log", "inside", "outside", "dangling")
	dir, other := t.TempDir(), t.TempDir()
	plant(t, other, "target", "far")
	plant(t, dir, "link -> "+other+"/target", "real", "inside -> real", "outside -> "+other+"/far", "dangling -> nowhere")
	l, err := net.Listen("unix", dir+"/sock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	os.Chmod(other+"/target", 0o640)
	for _, x := range []struct{ src, dst, changed, content, problem string }{
		{"log", dir + "/link", other + "/target", "log", ""},
		{"inside", dir, dir + "/real", "inside", ""},
		{"outside", dir + "/", other + "/far", "far", "is a link that cannot be followed inside"},
		{"outside", dir + "/outside", other + "/far", "outside", ""},
		{"dangling", dir + "/dangling", other + "/target", "log", "is a link to nowhere, which does not exist"},
		{"log", dir + "/sock", dir + "/real", "inside", "is a socket, which no file can be written to"},
	} {
		err := c.CopyFrom(t.Context(), x.src, x.dst, CopyOptions{})
		if x.problem == "" && err != nil || x.problem != "" && (err == nil || !strings.Contains(err.Error(), x.problem)) {
			t.Errorf("%s to %s: %v", x.src, x.dst, err)
		}
		if b, err := os.ReadFile(x.changed); err != nil || string(b) != x.content {
			t.Errorf("%s to %s: %s has %q, %v", x.src, x.dst, x.changed, b, err)
		}
	}
	// A step's target was named long ago, and the box may have put a link there.
	if err := g.Download(t.Context(), "inside", dir+"/link"); err == nil || !strings.Contains(err.Error(), "is a link that cannot be followed inside") {
		t.Errorf("Download through a link that leads elsewhere: %v", err)
	}
	if err := g.Download(t.Context(), "log", dir+"/inside"); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(dir + "/real"); err != nil || string(b) != "log" {
		t.Errorf("Download through a link: %q, %v", b, err)
	}
	for _, name := range []string{"link", "inside", "outside", "dangling"} {
		if st, err := os.Lstat(dir + "/" + name); err != nil || st.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is a link no more: %v, %v", name, st, err)
		}
	}
	if st, err := os.Stat(other + "/target"); err != nil || st.Mode() != 0o640 {
		t.Errorf("a file that is written through a link keeps its mode: %v, %v", st, err)
	}
}
