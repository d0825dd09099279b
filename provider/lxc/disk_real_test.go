package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider"
)

// startWith starts the box with a limit of its disk, 0 for none.
func (c churner) startWith(disk int64) error {
	c.spec.Resources.Disk = disk
	return c.p.Start(c.t.Context(), c.spec, func(e provider.Event) { c.t.Log(e.Text) })
}

func (c churner) must(command string) string {
	c.t.Helper()
	out, err := inBox(c.t, c.p, c.spec.ID, command)
	if err != nil {
		c.t.Fatalf("%s: %v %s", command, err, out)
	}
	return out
}

func (c churner) stop() {
	c.t.Helper()
	if err := c.p.Stop(c.t.Context(), c.spec.ID, 10*time.Second, nil); err != nil {
		c.t.Fatal(err)
	}
}

// size returns how large the box sees its disk, in MiB.
func (c churner) size() int {
	c.t.Helper()
	n, err := strconv.Atoi(strings.TrimSuffix(strings.Fields(c.must("df -BM --output=size / | tail -1"))[0], "M"))
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c churner) expectSize(mib int) {
	c.t.Helper()
	if n := c.size(); n > mib || n < mib*8/10 {
		c.t.Errorf("the box sees a disk of %d MiB, not %d", n, mib)
	}
	b, err := c.p.Inspect(c.t.Context(), c.spec.ID)
	if err != nil || b.Limits.Disk != int64(mib)<<20 {
		c.t.Errorf("Inspect says %d, not %d MiB (%v)", b.Limits.Disk, mib, err)
	}
}

func limited(t *testing.T, disk int64) churner {
	t.Cleanup(func() { // after the box has been destroyed
		if left, err := loops("/" + imageName); err != nil || len(left) > 0 {
			t.Errorf("loop devices are left: %v %v", left, err)
		}
	})
	p, spec := realProvider(t)
	spec.Resources.Disk = disk
	return churner{t, p, spec}
}

// fill writes to the box's disk until that is full, and returns how many bytes
// that were.
const fill = `dd if=/dev/zero of=/var/fill bs=64k 2>&1; exec 2>/dev/null; sync /var/fill; dd if=/dev/zero of=/var/rest bs=4k status=none; sync /var/rest; stat -c %s /var/fill`

// The box sees its limit, cannot write beyond it, and can be used when it is
// full: entered, kept, stopped and started.
func TestRealDiskFull(t *testing.T) {
	c := limited(t, 128<<20)
	c.begin("")
	c.expectSize(128)
	var before, after unix.Statfs_t
	if err := unix.Statfs(c.p.store.root, &before); err != nil {
		t.Fatal(err)
	}
	out := c.must(fill)
	lines := strings.Split(out, "\n")
	written, _ := strconv.ParseInt(lines[len(lines)-1], 10, 64)
	if !strings.Contains(out, "No space left on device") || written > 128<<20 || written < 64<<20 {
		t.Fatalf("filling the disk: %s", out)
	}
	if err := unix.Statfs(c.p.store.root, &after); err != nil {
		t.Fatal(err)
	}
	if took := int64(before.Bfree-after.Bfree) * before.Bsize; took > 150<<20 {
		t.Errorf("the host lost %d MiB", took>>20)
	}
	if out, err := inBox(t, c.p, c.spec.ID, "echo more >/etc/more && sync /etc/more && test -s /etc/more"); err == nil {
		t.Errorf("the box got at space that is reserved: %s", out)
	}
	c.keep("full")
	c.stop()
	c.spec.Hostname = "other"
	c.start()
	if out := c.must("hostname; rm /var/fill /var/rest; echo more >/etc/more; cat /etc/more"); out != "other\nmore" {
		t.Errorf("after the start: %s", out)
	}
	c.destroy()
	if left, err := loops("/" + c.spec.ID + "/"); err != nil || len(left) > 0 {
		t.Errorf("loop devices are left: %v %v", left, err)
	}
}

// What a box has removed is space of the host's again.
func TestRealDiskGivesBack(t *testing.T) {
	c := limited(t, 512<<20)
	c.begin("")
	image := filepath.Join(c.p.store.file(c.spec.ID, "disk"), imageName)
	blocks := func() int64 {
		var st unix.Stat_t
		if err := unix.Stat(image, &st); err != nil {
			t.Fatal(err)
		}
		return st.Blocks * 512 >> 20
	}
	c.must("dd if=/dev/urandom of=/var/much bs=1M count=200 && sync")
	if n := blocks(); n < 200 {
		t.Fatalf("the file has %d MiB", n)
	}
	c.must("rm /var/much; sync; sleep 1; sync")
	for range 40 {
		if blocks() < 100 {
			break
		}
		time.Sleep(250 * time.Millisecond)
		c.must("sync")
	}
	if n := blocks(); n >= 100 {
		t.Errorf("the file still has %d MiB", n)
	}
	if st, err := os.Stat(image); err != nil || st.Mode() != 0o600 {
		t.Errorf("the file is %v, %v", st.Mode(), err)
	}
}

// Checkpoints of a box with a limited disk are those of any other: of a running
// box and of a stopped one, made into boxes with a limit and without.
func TestRealDiskCheckpoints(t *testing.T) {
	c := limited(t, 256<<20)
	c.begin("")
	c.churn(1, 150)
	first := c.dump()
	c.keep("first")
	c.churn(2, 150)
	second := c.dump()
	c.keep("second")
	c.stop()
	if err := c.p.Restore(c.t.Context(), c.spec, "first", nil); err != nil {
		t.Fatal(err)
	}
	c.start()
	c.expect("restored", first)
	c.expectSize(256)
	c.destroy()
	c.begin("second")
	c.expect("made from a checkpoint", second)
	c.expectSize(256)
	c.destroy()
	c.spec.Resources.Disk = 0
	c.begin("second")
	c.expect("made from a checkpoint, without a limit", second)
}

// A start gives the box the disk of the size that is asked for by then, with all
// that it had; one that is too small is refused, and nothing happens.
func TestRealDiskChanges(t *testing.T) {
	c := limited(t, 0)
	c.begin("")
	c.churn(3, 150)
	c.must("echo mine >/etc/machine-note; dd if=/dev/urandom of=/var/much bs=1M count=100; ln /var/much /var/more; sync")
	identity := c.must("cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key; sha256sum /var/much")
	want := c.dump()
	c.stop()
	for _, mib := range []int{512, 1024, 256, 0, 300} {
		if err := c.startWith(int64(mib) << 20); err != nil {
			t.Fatal(err)
		}
		c.must("systemctl is-system-running --wait || true")
		c.expect(fmt.Sprintf("with %d MiB", mib), want)
		if got := c.must("cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key; sha256sum /var/much"); got != identity {
			t.Errorf("with %d MiB it is another box: %s", mib, got)
		}
		if mib > 0 {
			c.expectSize(mib)
		}
		c.stop()
	}
	err := c.startWith(64 << 20)
	var arg *provider.ArgError
	if !errors.As(err, &arg) || arg.Arg != diskArg || !strings.Contains(err.Error(), "MiB of its disk, which do not fit into 64 MiB") {
		t.Fatalf("got %v", err)
	}
	if err := c.startWith(300 << 20); err != nil {
		t.Fatal(err)
	}
	c.expect("after the refusal", want)
}

// A running box's disk grows, while it is written to; and does nothing else.
func TestRealDiskResize(t *testing.T) {
	c := limited(t, 64<<20)
	c.begin("")
	c.must(fill)
	r := c.spec.Resources
	mayGrow, _ := testenv.Has("sys_resource")
	now := 64
	for _, mib := range []int{64, 128, 2048} {
		r.Disk = int64(mib) << 20
		err := c.p.Resize(t.Context(), c.spec.ID, r)
		if mib > 64 && !mayGrow {
			if !errors.Is(err, provider.ErrUnsupported) || !strings.Contains(err.Error(), "berth reload") {
				t.Errorf("without CAP_SYS_RESOURCE: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		now = mib
		c.expectSize(now)
	}
	if now > 64 {
		c.must("dd if=/dev/urandom of=/var/much bs=1M count=100 && sync")
	}
	for _, disk := range []int64{0, 63 << 20} {
		r.Disk = disk
		if err := c.p.Resize(t.Context(), c.spec.ID, r); err == nil || !strings.Contains(err.Error(), "berth reload") {
			t.Errorf("%d: got %v", disk, err)
		}
	}
	c.expectSize(now)
}

// Growing and moving that were killed are finished or forgotten.
func TestRealDiskKilled(t *testing.T) {
	c := limited(t, 64<<20)
	c.begin("")
	c.must("echo kept >/etc/note; sync")
	c.stop()
	dir := c.p.store.file(c.spec.ID, "disk")
	if err := os.Truncate(filepath.Join(dir, imageName), 256<<20); err != nil {
		t.Fatal(err)
	}
	begun, err := makeOwn(t.Context(), c.p.store.file(c.spec.ID, "disk-new"), 96<<20)
	if err != nil {
		t.Fatal(err)
	}
	begun.close()
	if err := c.startWith(256 << 20); err != nil {
		t.Fatal(err)
	}
	c.expectSize(256)
	if got := c.must("cat /etc/note"); got != "kept" {
		t.Errorf("got %q", got)
	}
	if exists(c.p.store.file(c.spec.ID, "disk-new")) {
		t.Error("the half-made disk is still there")
	}
	killMonitor(t, c.spec.ID)
	if err := c.p.Destroy(context.Background(), c.spec.ID, nil); err != nil {
		t.Error(err)
	}
}

// Without root a limit is refused, or left out with a warning.
func TestWantedDiskWithoutRoot(t *testing.T) {
	p := &lxcProvider{mode: userMode{}}
	_, _, err := p.wantedDisk(provider.Resources{Disk: 1 << 30})
	var arg *provider.ArgError
	if !errors.As(err, &arg) || arg.Arg != diskArg || !strings.Contains(err.Error(), "disk_enforce = false") {
		t.Errorf("got %v", err)
	}
	size, warning, err := p.wantedDisk(provider.Resources{Disk: 1 << 30, DiskOptional: true})
	if size != 0 || err != nil || !strings.Contains(warning, "not limited") {
		t.Errorf("got %d, %q, %v", size, warning, err)
	}
	if size, warning, err := p.wantedDisk(provider.Resources{}); size != 0 || warning != "" || err != nil {
		t.Errorf("got %d, %q, %v", size, warning, err)
	}
}
