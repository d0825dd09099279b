package guest

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/berth-dev/berth/provisioner"
)

// A freezer stands between berth and a box, which falls silent when it is frozen.
type freezer struct{ frozen chan struct{} }

// between returns where the freezer listens.
func (f *freezer) between(t *testing.T, to string) string {
	t.Helper()
	return accept(t, func(near net.Conn) {
		far, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		t.Cleanup(func() { far.Close() })
		go f.pass(near, far)
		f.pass(far, near)
	})
}

func (f *freezer) pass(from, to net.Conn) {
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		select {
		case <-f.frozen:
			return
		default:
		}
		if err != nil {
			to.Close()
			return
		}
		_, _ = to.Write(b[:n])
	}
}

// A box that falls silent must not keep a copy that is cancelled.
func TestCopyCancelSilent(t *testing.T) {
	t.Parallel()
	s, target := newServer(t)
	f := &freezer{make(chan struct{})}
	target.Addr = f.between(t, s.listen(""))
	c := connect(t, target)
	src := t.TempDir()
	big, err := os.Create(src + "/big")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(big.Truncate(1<<30), big.Close()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	time.AfterFunc(200*time.Millisecond, func() { close(f.frozen) })
	time.AfterFunc(500*time.Millisecond, cancel)
	start := time.Now()
	if err := c.CopyTo(ctx, src, "there", CopyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 12*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A box that floods the answer of a command of ours is not believed.
func TestLongAnswer(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	s.exec = func(s *server, ch ssh.Channel, command string) {
		defer ch.Close()
		for range 100 {
			if _, err := ch.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
		exit(ch, 0)
	}
	f := t.TempDir() + "/f"
	if err := os.WriteFile(f, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := g.Upload(t.Context(), f, "x", provisioner.FileOptions{Owner: "www-data"})
	if !errors.Is(err, provisioner.ErrLongAnswer) {
		t.Errorf("got %.200v", err)
	}
}

// endless is a folder whose list never ends.
type endless struct{ sftp.FileLister }

func (e endless) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method == "List" {
		return e, nil
	}
	return e.FileLister.Filelist(r)
}

func (endless) ListAt(list []os.FileInfo, _ int64) (int, error) {
	for i := range list {
		list[i] = longName{}
	}
	return len(list), nil
}

type longName struct{ fs.FileInfo }

func (longName) Name() string       { return strings.Repeat("x", 255) }
func (longName) Size() int64        { return 0 }
func (longName) Mode() fs.FileMode  { return 0o644 }
func (longName) ModTime() time.Time { return time.Time{} }
func (longName) IsDir() bool        { return false }
func (longName) Sys() any           { return nil }

func TestEndlessFolder(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	h := sftp.InMemHandler()
	h.FileList = endless{h.FileList}
	s.sub = func(ch ssh.Channel) { sftp.NewRequestServer(ch, h).Serve() }
	err := g.Download(t.Context(), "/", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "lists more than 64 MiB of files") {
		t.Errorf("got %v", err)
	}
}
