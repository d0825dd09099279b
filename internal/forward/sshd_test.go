package forward

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/berth-dev/berth/internal/guest"
	"github.com/berth-dev/berth/internal/testenv"
)

// The stage of an OpenSSH server: mounts of its own give it a user and a /run.
const sshdStage = `set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run; mkdir -p /run/sshd
# All of /etc: a mount over one of its files goes when the host replaces that.
mkdir -p "$1/etc"; mount -t tmpfs -o mode=755 tmpfs "$1/etc"; cp -a /etc/. "$1/etc"; mount --bind "$1/etc" /etc
echo "dev:x:1999:1999::$1:/bin/sh" >>/etc/passwd
echo "dev:*:19000:0:99999:7:::" >>/etc/shadow
exec "$2" -D -e -f "$1/sshd_config"
`

// box is an OpenSSH server that stands for a box.
type box struct {
	t    *testing.T
	dir  string // a folder that its user may write to
	addr string
	host guest.Target
	cmd  *exec.Cmd
	log  bytes.Buffer
}

func newKey(t *testing.T) (private []byte, public string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	line, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block), string(ssh.MarshalAuthorizedKey(line))
}

// newBox starts a server that ends with the test.
func newBox(t *testing.T) *box {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.NeedSSHD(t)
	// Not t.TempDir: the names of sockets are short.
	dir, err := os.MkdirTemp("", "fwd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &box{t: t, dir: dir, addr: freeAddr(t)}
	userKey, userPub := newKey(t)
	hostKey, hostPub := newKey(t)
	b.host = guest.Target{Addr: b.addr, User: "dev", Key: userKey, HostKey: hostPub}
	ip, port, _ := net.SplitHostPort(b.addr)
	for name, text := range map[string]string{
		"hostkey": string(hostKey), "authorized": userPub, "stage": sshdStage,
		"sshd_config": fmt.Sprintf("ListenAddress %s\nPort %s\nHostKey %s/hostkey\nAuthorizedKeysFile %[3]s/authorized\n"+
			"StrictModes no\nUsePAM no\nPidFile none\n", ip, port, b.dir),
	} {
		mode := os.FileMode(0o644)
		if name == "hostkey" {
			mode = 0o600
		}
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	os.Chmod(b.dir, 0o777)
	b.start()
	return b
}

func (b *box) start() {
	b.t.Helper()
	sshd, err := testenv.SSHD()
	if err != nil {
		b.t.Fatal(err)
	}
	b.cmd = exec.Command("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
		"sh", filepath.Join(b.dir, "stage"), b.dir, sshd)
	b.cmd.Stdout, b.cmd.Stderr = &b.log, &b.log
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(b.stop)
}

// stop kills the server with all its connections.
func (b *box) stop() {
	b.cmd.Process.Kill()
	b.cmd.Wait()
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// forwarder is one that runs in the test's process.
type forwarder struct {
	t     *testing.T
	cfg   Config
	hosts map[string]string // where each rule listens, by name
	news  chan News
	ended chan error
	stop  func()
}

// run starts a forwarder for a box, and waits for its first connection.
func (b *box) run(auto bool, rules ...Rule) *forwarder {
	f := b.begin(auto, rules...)
	if n := f.next(); !n.Ready {
		b.t.Fatalf("news: %+v", n)
	}
	return f
}

func (b *box) begin(auto bool, rules ...Rule) *forwarder {
	t := b.t
	t.Helper()
	f := &forwarder{t: t, hosts: map[string]string{}, news: make(chan News, 100), ended: make(chan error, 1)}
	f.cfg = Config{Box: "box", Dir: Dir(t.TempDir()), Target: b.host, Auto: auto, GiveUp: 2 * time.Second}
	var files []*os.File
	for _, r := range rules {
		if r.Protocol == "" {
			r.Protocol = "tcp"
		}
		if r.Range == (Range{}) {
			r.Range = Range{30000, 31999}
		}
		if r.Reverse {
			r.Host = r.Want
		} else {
			s, err := Bind(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			r = s.Rule
			files = append(files, s.file)
		}
		f.hosts[r.Name] = r.Host
		f.cfg.Rules = append(f.cfg.Rules, r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.ended <- serve(ctx, f.cfg, files, newsWriter(f.news), &logFile{file: os.Stderr})
	}()
	f.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(f.stop)
	return f
}

// next waits for news.
func (f *forwarder) next() News {
	f.t.Helper()
	select {
	case n := <-f.news:
		return n
	case err := <-f.ended:
		f.t.Fatalf("the forwarder has ended: %v", err)
	case <-time.After(20 * time.Second):
		f.t.Fatal("no news")
	}
	return News{}
}
