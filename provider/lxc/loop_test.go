package lxc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A file whose loop device cannot be opened does not get a second one.
func TestRealDiskDeviceNotOpened(t *testing.T) {
	dir, o := newOwn(t, 64)
	o.close()
	device, err := attachLoop(filepath.Join(dir, imageName))
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	err = onOwnThread(func() error { // in a mount namespace without the nodes of devices
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", "/dev", "tmpfs", 0, ""); err != nil {
			return err
		}
		second, err := attachLoop(filepath.Join(dir, imageName))
		if err == nil {
			second.Close()
		}
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "has a loop device, which cannot be opened") {
		t.Errorf("got %v", err)
	}
}

// Growing never takes anything off the file: when the host crashed, the filesystem
// can be larger than its superblock says.
func TestRealDiskNeverShrinks(t *testing.T) {
	dir, o := newOwn(t, 96)
	o.close()
	_ = growOwn(dir, 64<<20) // ext4 refuses it
	if st, err := os.Stat(filepath.Join(dir, imageName)); err != nil || st.Size() != 96<<20 {
		t.Errorf("the file has %d bytes, %v", st.Size(), err)
	}
	o, err := openOwn(dir)
	if err != nil {
		t.Fatal(err)
	}
	o.close()
}
