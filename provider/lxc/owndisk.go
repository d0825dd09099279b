package lxc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/deep"
)

// What a box has beyond its layers is in the folders upper and work: those of
// the folder "disk" of the box or, where the size is limited, of the ext4
// filesystem in the one file of that folder. Only the kernel and mkfs.ext4 ever
// write to the file; a box has files in the filesystem and cannot reach it.
//
// The file is sparse. What it holds takes space on the host, and what is removed
// gives it back (mount option discard).

// imageName is the file's name.
const imageName = "disk.ext4"

// hostReserve is what the host can write to a full disk: without it a full box
// could not be started, since its name and addresses could not be written. The box
// does not get at it: overlayfs writes without CAP_SYS_RESOURCE.
const hostReserve = 1 << 20

// imageSize returns the size of the disk in the folder dir, 0 for one without a
// limit: that of the filesystem, as its superblock has it. The file is larger when
// growing was killed.
func imageSize(dir string) (int64, error) {
	f, err := os.OpenFile(filepath.Join(dir, imageName), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look at the box's disk: %w", err)
	}
	defer f.Close()
	// Documentation/filesystems/ext4/super.rst
	var super [1024]byte
	if _, err := f.ReadAt(super[:], 1024); err != nil || binary.LittleEndian.Uint16(super[0x38:]) != unix.EXT4_SUPER_MAGIC {
		return 0, errors.Join(fmt.Errorf("the box's disk %s holds no ext4 filesystem", f.Name()), err)
	}
	low, high := binary.LittleEndian.Uint32(super[0x4:]), binary.LittleEndian.Uint32(super[0x150:])
	return (int64(high)<<32 | int64(low)) * loopBlock, nil
}

// makeOwn makes an empty disk in the folder dir, instead of what is there, and opens
// it. A size of 0 is no limit.
func makeOwn(ctx context.Context, dir string, size int64) (own, error) {
	if err := deep.Remove(dir); err != nil {
		return own{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return own{}, err
	}
	if size > 0 {
		if err := makeImage(ctx, filepath.Join(dir, imageName), size); err != nil {
			return own{}, err
		}
	}
	o, err := openOwn(dir)
	if err != nil {
		return own{}, err
	}
	// The folders of the overlay are the box's to look into; those above are not.
	for _, d := range []string{"", "upper", "work"} {
		at := filepath.Join(o.path, d)
		err := os.Mkdir(at, 0o755)
		if err == nil || errors.Is(err, os.ErrExist) {
			err = os.Chmod(at, 0o755)
		}
		if err != nil {
			o.close()
			return own{}, err
		}
	}
	o.fillReserve()
	return o, nil
}

// makeImage makes a file with an empty ext4 filesystem.
func makeImage(ctx context.Context, path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = f.Truncate(size)
	f.Close()
	if err != nil {
		return fmt.Errorf("make a file of %d bytes at %s: %w", size, path, err)
	}
	program, err := mkfsProgram()
	if err != nil {
		return err
	}
	// Nothing is cleared: what a new file does not hold reads as zeros.
	return runTool(exec.CommandContext(ctx, program, "-q", "-F", "-b", strconv.Itoa(loopBlock), "-I", "256",
		"-i", strconv.Itoa(bytesPerFile(size)),
		"-m", strconv.FormatFloat(100*hostReserve/float64(size), 'f', 6, 64), "-e", "remount-ro",
		"-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", path))
}

// bytesPerFile says how many bytes of a disk there are for each file that it can
// have. What describes a file takes 256 bytes of the limit, whether or not there is
// one; mkfs.ext4 by itself takes twice as many bytes a file for large disks, of which
// a disk with sources and their packages runs out before it is half full.
func bytesPerFile(size int64) int {
	if size < 512<<20 {
		return 4096
	}
	return 8192
}

// mkfsProgram returns where mkfs.ext4 is; su leaves the folders for root's programs
// out of $PATH.
func mkfsProgram() (string, error) {
	for _, name := range []string{"mkfs.ext4", "/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("mkfs.ext4 is not installed, which makes disks of limited size: install the package e2fsprogs")
}

// mountImage mounts the disk in the folder dir without a place: the mount goes
// with its descriptor, or with the namespace that it is put into (fsmount(2)). A
// disk that is mounted already is mounted once more.
func mountImage(dir string, attrs int) (fd int, err error) {
	path := filepath.Join(dir, imageName)
	device, err := attachLoop(path)
	if err != nil {
		return -1, fmt.Errorf("make a loop device of %s: %w", path, err)
	}
	defer device.Close()
	f, err := unix.Fsopen("ext4", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("mount %s: the kernel's ext4: %w", path, err)
	}
	defer unix.Close(f)
	err = unix.FsconfigSetString(f, "source", device.Name())
	for _, flag := range []string{"discard", "noinit_itable"} {
		err = errors.Join(err, unix.FsconfigSetFlag(f, flag))
	}
	if err == nil {
		err = unix.FsconfigCreate(f)
	}
	if err == nil {
		fd, err = unix.Fsmount(f, unix.FSMOUNT_CLOEXEC, attrs)
	}
	if err != nil {
		return -1, fmt.Errorf("mount %s (if it is damaged: e2fsck -f %[1]s): %w", path, err)
	}
	return fd, nil
}

// own is the disk of a box, open to this process.
type own struct {
	path  string // good until it is closed, on every thread
	mount int    // -1: it is a folder of the host's
}

func (o own) upper() string { return filepath.Join(o.path, "upper") }

func (o own) close() {
	if o.mount >= 0 {
		unix.Close(o.mount)
	}
}

// openOwn opens the disk in the folder dir, whether or not its box runs.
func openOwn(dir string) (own, error) {
	size, err := imageSize(dir)
	if err != nil || size == 0 {
		return own{dir, -1}, err
	}
	fd, err := mountImage(dir, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return own{}, err
	}
	return own{"/proc/self/fd/" + strconv.Itoa(fd), fd}, nil
}

// cloneOwn returns a mount of the disk in the folder dir for a box, with every id
// moved into the user namespace, if there is one.
func cloneOwn(dir string, userns *os.File) (fd int, err error) {
	size, err := imageSize(dir)
	if err != nil {
		return -1, err
	}
	if size == 0 {
		return cloneMapped(dir, userns, 0)
	}
	if fd, err = mountImage(dir, 0); err != nil {
		return -1, err
	}
	if err := mapIDs(fd, userns, 0); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("map the ids of the disk in %s: %w", dir, err)
	}
	return fd, nil
}
