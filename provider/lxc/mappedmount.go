package lxc

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/mountinfo"
)

// mountMapped mounts a clone of the tree dir at the new folder at, with every
// id moved into the user namespace, if there is one (mount_setattr(2), "ID-mapped
// mounts").
func mountMapped(dir, at string, userns *os.File, attrs uint64) error {
	fd, err := cloneMapped(dir, userns, attrs)
	if err != nil {
		return err
	}
	return attach(fd, dir, at)
}

// attach puts a mount of dir at the new folder at, and closes it.
func attach(fd int, dir, at string) error {
	defer unix.Close(fd)
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s on %s: %w", dir, at, err)
	}
	return nil
}

// cloneMapped makes the clone that mountMapped mounts, attached nowhere yet.
func cloneMapped(dir string, userns *os.File, attrs uint64) (fd int, err error) {
	fd, err = unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("clone the mount of %s: %w", dir, err)
	}
	if err := mapIDs(fd, userns, attrs); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EINVAL) {
			return -1, fmt.Errorf("map the ids of %s: its filesystem (%s) cannot be idmapped; "+
				"put the data folder on ext4, xfs or btrfs with $BERTH_HOME: %w", dir, filesystem(dir), err)
		}
		return -1, fmt.Errorf("map the ids of %s: %w", dir, err)
	}
	return fd, nil
}

// mapIDs gives a mount that is attached nowhere yet attributes, and moves every id
// of it into the user namespace, if there is one.
func mapIDs(fd int, userns *os.File, attrs uint64) error {
	attr := unix.MountAttr{Attr_set: attrs}
	if userns != nil {
		attr.Attr_set |= unix.MOUNT_ATTR_IDMAP
		attr.Userns_fd = uint64(userns.Fd())
	}
	return unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr)
}

// filesystem names the type of the filesystem that holds path, for messages.
func filesystem(path string) string {
	m, err := mountinfo.Of(path)
	if err != nil {
		return "unknown"
	}
	return m.FSType
}
