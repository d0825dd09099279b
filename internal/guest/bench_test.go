package guest

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/berth-dev/berth/internal/sshdtest"
	"github.com/berth-dev/berth/provisioner"
)

// BenchmarkLogin is what `berth ssh -c true` costs beside starting berth.
func BenchmarkLogin(b *testing.B) {
	target := startSSHD(b, sshdtest.Options{})
	connect(b, target)
	for b.Loop() {
		c, err := Dial(b.Context(), target)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Session(b.Context(), SessionOptions{Command: "true"}); err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

// BenchmarkOpenSSHLogin is the same by OpenSSH's client, with its defaults.
func BenchmarkOpenSSHLogin(b *testing.B) {
	if _, err := exec.LookPath("ssh"); err != nil {
		b.Skip("needs ssh")
	}
	target := startSSHD(b, sshdtest.Options{})
	connect(b, target)
	dir := b.TempDir()
	host, port, _ := net.SplitHostPort(target.Addr)
	if err := os.WriteFile(filepath.Join(dir, "key"), target.Key, 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "known"), fmt.Appendf(nil, "[%s]:%s %s", host, port, target.HostKey), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		out, err := exec.Command("ssh", "-F", "none", "-i", dir+"/key", "-p", port, "-o", "IdentitiesOnly=yes",
			"-o", "UserKnownHostsFile="+dir+"/known", target.User+"@"+host, "true").CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
}

// BenchmarkRun is one more command on an open connection.
func BenchmarkRun(b *testing.B) {
	c := connect(b, startSSHD(b, sshdtest.Options{}))
	g := c.Guest(provisioner.Info{}, &screen{})
	for b.Loop() {
		if err := g.Run(b.Context(), provisioner.Cmd{Argv: []string{"true"}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpload1000 copies 1,000 files of 1 KiB in 20 folders.
func BenchmarkUpload1000(b *testing.B) {
	c := connect(b, startSSHD(b, sshdtest.Options{}))
	g := c.Guest(provisioner.Info{}, &screen{})
	src := b.TempDir()
	for i := range 1000 {
		p := filepath.Join(src, fmt.Sprint(i%20), fmt.Sprint(i))
		os.MkdirAll(filepath.Dir(p), 0o755)
		if err := os.WriteFile(p, make([]byte, 1024), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for _, root := range []bool{false, true} {
		b.Run(fmt.Sprintf("root=%v", root), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if err := g.Upload(b.Context(), src, fmt.Sprintf("to%v%d", root, i), provisioner.FileOptions{Root: root}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUploadLarge copies a file of 64 MiB.
func BenchmarkUploadLarge(b *testing.B) {
	c := connect(b, startSSHD(b, sshdtest.Options{}))
	g := c.Guest(provisioner.Info{}, &screen{})
	src := filepath.Join(b.TempDir(), "f")
	f, err := os.Create(src)
	if err != nil {
		b.Fatal(err)
	}
	io.CopyN(f, zeros{}, 64<<20)
	f.Close()
	b.SetBytes(64 << 20)
	for b.Loop() {
		if err := g.Upload(b.Context(), src, "/dev/shm/berth-bench", provisioner.FileOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	g.Run(b.Context(), provisioner.Cmd{Argv: []string{"rm", "-f", "/dev/shm/berth-bench"}})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
