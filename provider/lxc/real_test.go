package lxc

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// realProvider returns a provider with a data folder of its own, which uses the
// images that tests keep between runs, and a box for it.
func realProvider(t *testing.T) (*lxcProvider, provider.Spec) {
	t.Helper()
	return realProviderOf(t, bookworm)
}

// bookworm is the image of tests that need no other.
const bookworm = "debian:bookworm"

func realProviderOf(t *testing.T, image string) (*lxcProvider, provider.Spec) {
	t.Helper()
	testenv.NeedLXC(t)
	testenv.NeedNet(t)
	p := realStore(t, image)
	return p, realSpec(t, p, "test", "box", image)
}

// realImages returns the folder with the images that tests keep between runs.
func realImages(t *testing.T, image string) string {
	t.Helper()
	cache := os.Getenv("BERTH_TEST_CACHE")
	if cache == "" {
		cache = "/var/tmp/berth-test-cache"
	}
	cache = filepath.Join(cache, "provider", "lxc")
	if _, err := Open(cache).(*lxcProvider).image(t.Context(), image, nil); err != nil {
		t.Fatal(err)
	}
	return cache
}

// realStore returns a provider with a data folder of its own.
func realStore(t *testing.T, image string) *lxcProvider {
	t.Helper()
	cache, dir := realImages(t, image), t.TempDir()
	for _, name := range []string{"images", "layers"} {
		if err := os.Symlink(filepath.Join(cache, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	before, err := cgroup.Find([]string{"lxc.pivot"}) // LXC's default, which it leaves behind
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if after, err := cgroup.Find([]string{"lxc.pivot"}); err != nil || len(after) != len(before) {
			t.Errorf("cgroups left on the host: %v, %v", after, err)
		}
	})
	return Open(dir).(*lxcProvider)
}

// realSpec returns a box of a project, which is destroyed with the test.
func realSpec(t *testing.T, p *lxcProvider, project, name, image string) provider.Spec {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	dir := p.store.root
	spec := provider.Spec{
		ID: project + "-" + name + "-" + shortHash(dir+project+name), Project: project, ProjectID: shortHash(dir + project), Name: name,
		Hostname: "hull", Image: image, User: "dev",
		AuthorizedKey: string(ssh.MarshalAuthorizedKey(key)), HostKey: pem.EncodeToMemory(block),
	}
	t.Cleanup(func() {
		// t.Context has ended by now.
		if err := p.Destroy(context.Background(), spec.ID, nil); err != nil && !errors.Is(err, provider.ErrNotFound) {
			t.Error(err)
		}
		left, err := Leftovers(dir, spec.ID)
		if err != nil || len(left) > 0 {
			t.Errorf("left on the host: %v, %v", left, err)
		}
	})
	return spec
}

// inBox runs a shell command in the box as its root.
func inBox(t *testing.T, p *lxcProvider, id, command string) (string, error) {
	t.Helper()
	out, err := exec.Command("lxc-attach", "-n", id, "-P", p.store.boxes(), "--clear-env", "--", "/bin/sh", "-c", command).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Every limit is in the kernel after the start, and Inspect reads it there.
func TestRealLimits(t *testing.T) {
	p, spec := realProvider(t)
	swap := int64(0)
	spec.Resources = provider.Resources{CPUs: 1.5, CPUWeight: 200, CPUSet: "0", Memory: 256 << 20, Swap: &swap, PIDs: 300}
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	b, err := p.Inspect(t.Context(), spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	l := b.Limits
	if l.CPUs != 1.5 || l.CPUWeight != 200 || l.CPUSet != "0" || l.Memory != 256<<20 || l.Swap == nil || *l.Swap != 0 || l.PIDs != 300 {
		t.Errorf("limits are %+v", l)
	}
	if b.State != provider.Running || b.Usage.PIDs == 0 || b.Usage.Memory == 0 || b.Started.IsZero() {
		t.Errorf("box is %+v", b)
	}
}

// What the box's root must not be able to do to the host.
func TestRealIsolation(t *testing.T) {
	p, spec := realProvider(t)
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if out, err := inBox(t, p, spec.ID, "hostname; id -u; cat /proc/self/uid_map"); err != nil ||
		!strings.HasPrefix(out, "hull\n0\n") || strings.Contains(out, " 0 4294967295") {
		t.Fatalf("got %q, %v", out, err)
	}
	for _, command := range []string{
		"mknod /tmp/disk b 254 0 && head -c1 /tmp/disk",
		"echo h >/proc/sysrq-trigger",
		"echo 1 >/proc/sys/kernel/panic",
		"ls " + p.store.root,
		"mount -t ext4 /dev/vda /mnt",
		"echo 1 >/sys/kernel/mm/ksm/run",
	} {
		if out, err := inBox(t, p, spec.ID, command); err == nil {
			t.Errorf("the box's root can %s: %s", command, out)
		}
	}
	for _, ns := range []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"} {
		host, err := os.Readlink("/proc/self/ns/" + ns)
		if err != nil {
			t.Fatal(err)
		}
		if box, err := inBox(t, p, spec.ID, "readlink /proc/1/ns/"+ns); err != nil || box == host || !strings.HasPrefix(box, ns+":") {
			t.Errorf("namespace %s is %q, the host's is %q (%v)", ns, box, host, err)
		}
	}
}

// killMonitor kills the process of LXC that looks after a box.
func killMonitor(t *testing.T, id string) {
	t.Helper()
	dirs, err := cgroup.Find([]string{cgroup.Monitor(id)})
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no monitor: %v", err)
	}
	for _, pid := range cgroup.PIDs(dirs[0]) {
		if err := exec.Command("kill", "-9", strconv.Itoa(pid)).Run(); err != nil {
			t.Fatal(err)
		}
	}
}

// A box whose monitor was killed can be started again, and destroyed.
func TestRealMonitorKilled(t *testing.T) {
	p, spec := realProvider(t)
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	killMonitor(t, spec.ID)
	if err := p.Stop(t.Context(), spec.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if b, err := p.Inspect(t.Context(), spec.ID); err != nil || b.State != provider.Running {
		t.Errorf("box is %v, %v", b.State, err)
	}
}
