package lxc

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
)

// newOwn makes an empty disk of so many MiB, and opens it.
func newOwn(t *testing.T, mib int64) (dir string, o own) {
	t.Helper()
	testenv.NeedRoot(t)
	dir = filepath.Join(t.TempDir(), "disk")
	o, err := makeOwn(t.Context(), dir, mib<<20)
	if err != nil {
		t.Fatal(err)
	}
	return dir, o
}

// What is left of a full disk is the host's root's.
func TestRealDiskReserve(t *testing.T) {
	_, o := newOwn(t, 64)
	defer o.close()
	create := func(name string) *os.File {
		f, err := os.Create(filepath.Join(o.upper(), name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	full, more := create("full"), create("more")
	err := onOwnThread(func() error {
		var caps [2]unix.CapUserData
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capget(&header, &caps[0]); err != nil {
			return err
		}
		caps[0].Effective &^= 1 << unix.CAP_SYS_RESOURCE
		if err := errors.Join(unix.Capset(&header, &caps[0]), setFSIDs(firstIDBase)); err != nil {
			return err
		}
		for {
			if _, err := full.Write(make([]byte, loopBlock)); err != nil {
				return err
			}
		}
	})
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling it: %v", err)
	}
	_, err = more.Write(make([]byte, hostReserve*3/4))
	if err := errors.Join(err, more.Sync()); err != nil {
		t.Errorf("the host's root on a full disk: %v", err)
	}
}

// A filesystem that is in use grows.
func TestRealDiskGrows(t *testing.T) {
	testenv.NeedResource(t)
	dir, o := newOwn(t, 64)
	defer o.close()
	f, err := os.Create(filepath.Join(o.upper(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(mib int) error {
		block := make([]byte, 1<<20)
		for range mib {
			if _, err := f.Write(block); err != nil {
				return err
			}
		}
		return f.Sync()
	}
	if err := write(70); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("a disk of 64 MiB: %v", err)
	}
	for _, mib := range []int64{64, 256, 5 << 10} {
		if err := growOwn(dir, mib<<20); err != nil {
			t.Fatal(err)
		}
		if size, err := imageSize(dir); size != mib<<20 || err != nil {
			t.Errorf("its size is %d, not %d MiB: %v", size, mib, err)
		}
	}
	if err := write(200); err != nil {
		t.Errorf("a disk that has grown: %v", err)
	}
}

// There is one loop device for a file, however often it is mounted, and none
// afterwards.
func TestRealDiskOneLoop(t *testing.T) {
	dir, first := newOwn(t, 64)
	all := []own{first}
	for range 3 {
		o, err := openOwn(dir)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	if err := os.WriteFile(filepath.Join(all[0].upper(), "file"), []byte("same"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(all[3].upper(), "file")); err != nil || string(b) != "same" {
		t.Errorf("another filesystem: %q, %v", b, err)
	}
	if used, err := loops(dir); err != nil || len(used) != 1 {
		t.Errorf("loop devices %v, %v", used, err)
	}
	for _, o := range all {
		o.close()
	}
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		used, err := loops(dir)
		if err == nil && len(used) == 0 {
			break
		}
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("still there: %v, %v", used, err)
		}
	}
}
