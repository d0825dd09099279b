// Package sshdtest runs a real OpenSSH server that stands for a box in tests. It
// knows nothing of how Berth connects to one.
package sshdtest

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/berth-dev/berth/internal/testenv"
)

// User is who may log in. Nobody on this host is called so.
const User = "dev"

// The stage of a server with its user: namespaces of its own keep all of that,
// and every process, from the host.
const stage = `set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run; mkdir -p /run/sshd
mount -t tmpfs -o mode=755 tmpfs /home; mkdir /home/dev; chown 1999:1999 /home/dev
# All of /etc: a mount over one of its files goes when the host replaces that.
mkdir -p "$1/etc"; mount -t tmpfs -o mode=755 tmpfs "$1/etc"; cp -a /etc/. "$1/etc"; mount --bind "$1/etc" /etc
echo "dev:x:1999:1999::/home/dev:$2" >>/etc/passwd
echo "dev:x:1999:" >>/etc/group
echo "dev:*:19000:0:99999:7:::" >>/etc/shadow
if [ -d /etc/sudoers.d ]; then
	rm -f /etc/sudoers.d/*
	echo "dev ALL=(ALL) $3" >/etc/sudoers.d/dev; chmod 440 /etc/sudoers.d/dev
fi
exec "$4" -D -e -f "$1/sshd_config"
`

const config = `ListenAddress %s
Port %s
HostKey %s/hostkey
AuthorizedKeysFile %[3]s/authorized
StrictModes no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
`

// Options say what the user is like.
type Options struct {
	Shell string // default /bin/sh
	Sudo  string // what sudo allows; default: all, without a password
}

// Server is a server that ends with the test.
type Server struct {
	Addr    string
	Dir     string // a folder of the host that the user may write to; its path is short enough for sockets
	Key     []byte // the user's, as PEM
	HostKey string // the server's public key, as a line

	t    testing.TB
	o    Options
	sshd string
	cmd  *exec.Cmd
	log  bytes.Buffer
}

// New starts a server, or skips the test where that cannot be.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.NeedSSHD(t)
	sshd, err := testenv.SSHD()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "sshd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	_, userKey, userPub := NewKey(t)
	_, hostKey, hostPub := NewKey(t)
	s := &Server{Addr: FreeAddr(t), Dir: dir, Key: userKey, HostKey: hostPub, t: t, o: o, sshd: sshd}
	ip, port, _ := net.SplitHostPort(s.Addr)
	s.write("hostkey", string(hostKey), 0o600)
	s.write("authorized", userPub, 0o644)
	s.write("stage", stage, 0o644)
	s.write("sshd_config", fmt.Sprintf(config, ip, port, dir), 0o644)
	s.Start()
	return s
}

func (s *Server) write(name, text string, mode os.FileMode) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
}

// Start starts the server again, at its address, after Stop.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
		"sh", filepath.Join(s.Dir, "stage"), s.Dir, cmp.Or(s.o.Shell, "/bin/sh"), cmp.Or(s.o.Sudo, "NOPASSWD: ALL"), s.sshd)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		s.Stop()
		if s.t.Failed() {
			s.t.Log("sshd:", s.log.String())
		}
	})
}

// Stop kills the server with all its connections.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill() // it may have been stopped already
	_ = s.cmd.Wait()
}

// NewKey makes a key pair: the private half also as PEM, the public as a line.
func NewKey(t testing.TB) (signer ssh.Signer, private []byte, public string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	if signer, err = ssh.NewSignerFromKey(key); err != nil {
		t.Fatal(err)
	}
	return signer, pem.EncodeToMemory(block), string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
}

// FreeAddr is an address on this host where nothing listens.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
