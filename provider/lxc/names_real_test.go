package lxc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/berth/provider"
)

func TestRealNames(t *testing.T) {
	p, spec := realProvider(t)
	hosts := []provider.Host{{IP: "10.60.0.10", Names: []string{"db", "db.test.berth"}}}
	if err := p.SetHosts(t.Context(), spec.ID, hosts); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("of a box that is not there: %v", err)
	}
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.SetHosts(t.Context(), spec.ID, hosts); !errors.Is(err, provider.ErrNotRunning) {
		t.Errorf("of a stopped box: %v", err)
	}
	spec.Hosts = []provider.Host{{IP: "10.60.0.9", Names: []string{"early"}}}
	main := strings.TrimSuffix(start(t, p, spec).SSHAddr, ":22")
	resolves := func(name, want string) {
		t.Helper()
		out, _ := inBox(t, p, spec.ID, "getent ahosts "+name+" | head -n1")
		if got, _, _ := strings.Cut(out, " "); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, own := range []string{"hull", "box", "box.test.berth"} {
		resolves(own, main)
	}
	resolves("early", "10.60.0.9")
	if out, err := inBox(t, p, spec.ID, "echo 192.0.2.7 mine >>/etc/hosts; chmod 640 /etc/hosts"); err != nil {
		t.Fatal(out)
	}
	if err := p.SetHosts(t.Context(), spec.ID, hosts); err != nil {
		t.Fatal(err)
	}
	resolves("db.test.berth", "10.60.0.10")
	resolves("early", "")
	resolves("mine", "192.0.2.7")
	if out, _ := inBox(t, p, spec.ID, "stat -c '%u %g %a' /etc/hosts; ls /etc | grep -c hosts.berth"); out != "0 0 640\n0" {
		t.Errorf("owner, mode and leftovers are %q", out)
	}
	if err := p.SetHosts(t.Context(), spec.ID, []provider.Host{{IP: "10.0.0.1\nx", Names: []string{"y"}}}); err == nil {
		t.Error("a line break was taken")
	}
	testHostileHosts(t, p, spec, hosts)
}

// Whatever the box's root puts there, nothing of the host is touched, and nobody
// waits.
func testHostileHosts(t *testing.T, p *lxcProvider, spec provider.Spec, hosts []provider.Host) {
	// Only that no path leads there keeps the box's root from it.
	dir, err := os.MkdirTemp("/var/tmp", "berth-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	outside := filepath.Join(dir, "hosts")
	if err := errors.Join(os.WriteFile(outside, []byte("of the host\n"), 0o666), os.Chmod(outside, 0o666), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	steps := []struct{ name, command string }{
		{"a FIFO", "rm -f /etc/hosts; mkfifo /etc/hosts"},
		{"a link", "rm -f /etc/hosts; ln -s " + outside + " /etc/hosts"},
		{"a link up", "rm -f /etc/hosts; ln -s ../../../../../../.." + outside + " /etc/hosts"},
		{"a link through /proc", "rm -f /etc/hosts; ln -s /proc/1/root" + outside + " /etc/hosts"},
		{"a folder", "rm -f /etc/hosts; mkdir /etc/hosts"},
		{"a device", "rmdir /etc/hosts; : >/etc/hosts; mount --bind /dev/zero /etc/hosts"},
		{"a large file", "umount /etc/hosts; truncate -s 1G /etc/hosts"},
		{"a folder that leads elsewhere", "rm -f /etc/hosts; mv /etc /etc.real; ln -s " + filepath.Dir(outside) + " /etc"},
	}
	for _, s := range steps {
		if out, err := inBox(t, p, spec.ID, s.command); err != nil {
			t.Fatalf("%s: %v, %s", s.name, err, out)
		}
		begin := time.Now()
		if err := p.SetHosts(t.Context(), spec.ID, hosts); err == nil {
			t.Errorf("%s was taken for a hosts file", s.name)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("%s: it took %s", s.name, took)
		}
		if b, err := os.ReadFile(outside); err != nil || string(b) != "of the host\n" {
			t.Fatalf("%s: the host's file is now %q, %v", s.name, b, err)
		}
	}
	// The next start puts it right, FIFO or not.
	if out, err := inBox(t, p, spec.ID, "rm /etc; mv /etc.real /etc; mkfifo /etc/hosts"); err != nil {
		t.Fatal(out)
	}
	if err := p.Stop(t.Context(), spec.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.SetHosts(t.Context(), spec.ID, hosts); err != nil {
		t.Error(err)
	}
}
