package lxc

import (
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ext4Resize is EXT4_IOC_RESIZE_FS, _IOW('f', 16, __u64): it gives a mounted
// filesystem so many blocks, and does nothing if it has them
// (Documentation/filesystems/ext4/ioctl).
const ext4Resize = 0x40086610

// growOwn makes the disk in the folder dir size bytes large, whether or not its box
// runs. The file comes first, which means nothing until the filesystem has it too,
// so what is killed is begun again. The file never becomes smaller: when the host
// crashed, the filesystem can be larger than imageSize says, until it is mounted
// and has made good what its journal has. EPERM: this process has no CAP_SYS_RESOURCE,
// as root in a container may not.
func growOwn(dir string, size int64) error {
	o, err := openOwn(dir) // with a loop device, as long as it is open
	if err != nil {
		return err
	}
	defer o.close()
	if err := o.grow(dir, size); err != nil {
		return fmt.Errorf("make the box's disk larger: %w", err)
	}
	return nil
}

func (o own) grow(dir string, size int64) error {
	path := filepath.Join(dir, imageName)
	image, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer image.Close()
	if st, err := image.Stat(); err != nil {
		return err
	} else if st.Size() < size {
		if err := image.Truncate(size); err != nil {
			return err
		}
	}
	device, err := loopOf(image)
	if err != nil {
		return err
	}
	if device == nil {
		return fmt.Errorf("the loop device of %s is gone", path)
	}
	defer device.Close()
	if err := unix.IoctlSetInt(int(device.Fd()), unix.LOOP_SET_CAPACITY, 0); err != nil {
		return fmt.Errorf("enlarge %s: %w", device.Name(), err)
	}
	top, err := os.Open(o.path)
	if err != nil {
		return err
	}
	defer top.Close()
	blocks := uint64(size / loopBlock)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, top.Fd(), ext4Resize, uintptr(unsafe.Pointer(&blocks))); errno != 0 {
		return fmt.Errorf("enlarge the filesystem in %s: %w", path, errno)
	}
	return nil
}
