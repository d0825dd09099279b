package lxc

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/berth-dev/berth/provider"
)

// mapped writes to a file through a mapping, and once more when it is told to.
const mapped = `cat >/root/mapped.py <<'E'
import mmap, os, time
f = open("/root/db", "w+b"); f.write(b"\0" * 4096); f.flush(); os.fsync(f.fileno())
m = mmap.mmap(f.fileno(), 4096)
m[0:3] = b"one"
open("/root/begun", "w")
while not os.path.exists("/root/go"): time.sleep(0.02)
m[0:3] = b"two"
open("/root/done", "w")
time.sleep(600)
E
setsid python3 /root/mapped.py >/dev/null 2>&1 </dev/null &
until test -e /root/begun; do sleep 0.02; done`

// kept returns what the topmost layer of a checkpoint that has a file has in it.
func (c churner) kept(key, name string) string {
	c.t.Helper()
	k, err := c.p.store.loadCheckpoint(c.t.Context(), key)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, l := range k.Layers {
		if b, err := os.ReadFile(filepath.Join(c.p.store.layer(l), name)); err == nil {
			return string(b)
		}
	}
	c.t.Fatalf("%s has no %s", key, name)
	return ""
}

// What a box has written through a mapping while it was suspended and kept is in
// the next checkpoint, with a limit of its disk and without.
func TestRealCheckpointSuspended(t *testing.T) {
	for name, disk := range map[string]int64{"unlimited": 0, "limited": 256 << 20} {
		t.Run(name, func(t *testing.T) {
			p, spec := realProvider(t)
			spec.Resources.Disk = disk
			c := churner{t, p, spec}
			c.begin("")
			c.must(mapped)
			if err := p.Suspend(t.Context(), spec.ID); err != nil {
				t.Fatal(err)
			}
			c.keep("first")
			if b, err := p.Inspect(t.Context(), spec.ID); err != nil || b.State != provider.Frozen {
				t.Errorf("after it was kept it is %v, %v", b.State, err)
			}
			if err := p.Resume(t.Context(), spec.ID); err != nil {
				t.Fatal(err)
			}
			c.must("touch /root/go; until test -e /root/done; do sleep 0.02; done")
			c.keep("second")
			for key, want := range map[string]string{"first": "one", "second": "two"} {
				if got := c.kept(key, "root/db")[:3]; got != want {
					t.Errorf("%s has %q, not %q", key, got, want)
				}
			}
			removeAllKept(t, p)
		})
	}
}
