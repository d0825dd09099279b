package lxc

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// useUpFiles makes files until there can be no more.
func useUpFiles(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		f, err := os.Create(filepath.Join(dir, strconv.Itoa(i)))
		if errors.Is(err, unix.ENOSPC) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

// A start finds room for its files on a disk that has none for others, time after
// time; one that has no reserve either says what to do.
func TestRealDiskOutOfFiles(t *testing.T) {
	_, o := newOwn(t, 64)
	defer o.close()
	useUpFiles(t, filepath.Join(o.upper(), "x"))
	p := &lxcProvider{store: store{root: t.TempDir()}, mode: rootMode{}}
	r := record{ID: "b1", Name: "b"}
	spec := provider.Spec{ID: "b1", Hostname: "b"}
	for round := range 3 {
		if err := o.freeReserve(); err != nil {
			t.Fatal(err)
		}
		if err := p.seed(o.upper(), r, spec, false); err != nil {
			t.Fatal(err)
		}
		o.fillReserve()
		if f, err := os.Create(filepath.Join(o.upper(), "more")); err == nil {
			f.Close()
			t.Fatal("the reserve is not made again")
		}
		if err := os.RemoveAll(filepath.Join(o.upper(), "etc")); err != nil {
			t.Fatal(err)
		}
		useUpFiles(t, filepath.Join(o.upper(), "y"))
		if err := os.Rename(filepath.Join(o.upper(), "y"), filepath.Join(o.upper(), "x", "y"+strconv.Itoa(round))); err != nil {
			t.Fatal(err)
		}
	}
	err := o.full(p.seed(o.upper(), r, spec, false))
	var arg *provider.ArgError
	if !errors.As(err, &arg) || arg.Arg != diskArg || !strings.Contains(err.Error(), "set a higher limit") {
		t.Errorf("got %v", err)
	}
}

// A box that has used up all files of its disk can be halted, started and entered.
func TestRealBoxOutOfFiles(t *testing.T) {
	c := limited(t, 64<<20)
	c.begin("")
	const use = `python3 -c '
import os
os.makedirs("/var/x", exist_ok=True); n = 0
try:
    while True: n += 1; open("/var/x/%d-%d" % (os.getpid(), n), "x")
except OSError as e: print(n, e)'`
	for range 2 {
		if out := c.must(use); !strings.Contains(out, "No space left on device") {
			t.Fatal(out)
		}
		c.stop()
		c.spec.Hostname += "s"
		if err := c.startWith(64 << 20); err != nil {
			t.Fatal(err)
		}
	}
	if out := c.must("hostname; rm -r /var/x; echo more >/etc/more; cat /etc/more"); out != "hullss\nmore" {
		t.Errorf("after the starts: %s", out)
	}
}

// Disks have room for a file to each 8 KiB.
func TestRealDiskFiles(t *testing.T) {
	for _, mib := range []int64{64, 1024} {
		_, o := newOwn(t, mib)
		var st unix.Statfs_t
		err := unix.Statfs(o.path, &st)
		o.close()
		if err != nil || int64(st.Files) < mib<<20/8192 {
			t.Errorf("%d MiB are for %d files (%v)", mib, st.Files, err)
		}
		if size := int64(st.Blocks) * st.Bsize; size < mib<<20*8/10 {
			t.Errorf("of %d MiB %d are left", mib, size>>20)
		}
	}
}
