package guest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/berth-dev/berth/provisioner"
)

// A box whose sftp server falls silent must not keep a copy that is cancelled:
// neither at its beginning, nor in the middle, nor while it is closed.
func TestCopyCancelSilent(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string]string{
		"before its version": "",
		"after it":           "\x00\x00\x00\x05\x02\x00\x00\x00\x03",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, g, _ := local(t)
			over := make(chan bool)
			t.Cleanup(func() { close(over) })
			s.sub = func(ch ssh.Channel) {
				_, _ = ch.Write([]byte(answers))
				go io.Copy(io.Discard, ch)
				<-over
			}
			start := time.Now()
			err := g.(*box).client.CopyFrom(soon(t), "x", t.TempDir(), CopyOptions{})
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 10*time.Second {
				t.Errorf("%v after %s", err, took)
			}
		})
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
	if !errors.Is(err, errLongAnswer) {
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
