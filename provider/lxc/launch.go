package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// stage is where a box's private mount namespace has its disk. It is a folder
// in /run on the host and a small tmpfs in the namespace, so that every part of
// the path can be passed by the box's root, which may not look into the data
// folder (mode 0700).
const stage = "/run/berth"

// The places in the stage.
const (
	stageRootfs = stage + "/rootfs"
	stageOwn    = stage + "/own"
	stageBin    = stage + "/bin"
)

// disk says what a box's root filesystem is made of.
type disk struct {
	layers []string // host paths, topmost first
	own    string   // host path of the folder with upper/ and work/ or what holds them (owndisk.go)
	path   string   // host path of LXC's -P
	idBase uint32   // host id of the box's root
	// nested says that this process is in the user namespace whose ids the box
	// has: then no ids need be mapped.
	nested bool
	// program is put on the stage when it is not empty.
	program string
	// folders opens the folders of the host that the box is given.
	folders func() ([]tree, error)
}

// inMountNamespace mounts d in a new mount namespace and calls f with the
// calling thread inside it; what f starts inherits it. The namespace goes
// when its last process does, and nothing of it ever shows on the host.
//
// Linux keeps namespace, fsuid and capabilities per thread, so a locked thread
// that is thrown away afterwards is as good as a helper process, without the
// time that starting one takes.
func inMountNamespace(ctx context.Context, d disk, f func() error) error {
	if err := os.MkdirAll(stage, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", stage, err)
	}
	return onOwnThread(func() error {
		if err := d.mount(ctx); err != nil {
			return err
		}
		return f()
	})
}

// mount builds the stage on the calling thread, in a new mount namespace.
func (d disk) mount(ctx context.Context) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	// A slave: host unmounts reach it, its own mounts never reach the host
	// (mount_namespaces(7)).
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("detach from the host's mounts: %w", err)
	}
	if err := unix.Mount("tmpfs", stage, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0711,size=1m"); err != nil {
		return fmt.Errorf("mount a tmpfs on %s: %w", stage, err)
	}
	// Opened before anything covers them, mounted when there is a root to mount
	// them in.
	trees, err := d.folders()
	if err != nil {
		return err
	}
	defer closeTrees(trees)
	var userns *os.File
	if !d.nested {
		if userns, err = userNamespace(ctx, boxIDs(d.idBase), boxIDs(d.idBase)); err != nil {
			return err
		}
		defer userns.Close()
	}

	lower := ""
	for i, dir := range d.layers {
		at := filepath.Join(stage, "layer"+strconv.Itoa(i))
		if err := mountMapped(dir, at, userns, unix.MOUNT_ATTR_RDONLY); err != nil {
			return err
		}
		if i > 0 {
			lower += ":"
		}
		lower += at
	}
	fd, err := cloneOwn(d.own, userns)
	if err != nil {
		return err
	}
	if err := attach(fd, d.own, stageOwn); err != nil {
		return err
	}
	if err := os.Mkdir(stageRootfs, 0o755); err != nil {
		return err
	}
	if err := stageTools(d.program); err != nil {
		return err
	}
	if !d.nested {
		if err := openPath(d.path); err != nil {
			return err
		}
	}
	if err := d.mountOverlay(lower); err != nil {
		return err
	}
	return mountFolders(trees, stageRootfs, d.idBase)
}

// openPath makes dir reachable for the box's root, as lxc-start demands of its
// -P: in this namespace alone, a tmpfs covers the first folder on the way that
// is private, and holds nothing but the way to dir.
func openPath(dir string) error {
	private := ""
	for _, at := range ancestors(dir) {
		st, err := os.Stat(at)
		if err != nil {
			return err
		}
		if st.Mode().Perm()&0o001 == 0 {
			private = at
			break
		}
	}
	if private == "" {
		return nil
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("clone the mount of %s: %w", dir, err)
	}
	defer unix.Close(fd)
	if err := unix.Mount("tmpfs", private, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0711,size=1m"); err != nil {
		return fmt.Errorf("cover %s for the box: %w", private, err)
	}
	for _, at := range ancestors(dir) {
		if err := os.Mkdir(at, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s again: %w", dir, err)
	}
	return nil
}

// ancestors returns "/a", "/a/b" and so on up to dir.
func ancestors(dir string) []string {
	var all []string
	for dir = filepath.Clean(dir); dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		all = append([]string{dir}, all...)
	}
	return all
}

// stageTools makes the folder that is all of lxc-start's $PATH. LXC calls
// apparmor_parser from there, and must not find newuidmap: root may map any id,
// but newuidmap, where LXC finds it, allows root only what /etc/subuid does.
func stageTools(program string) error {
	if err := os.Mkdir(stageBin, 0o755); err != nil {
		return err
	}
	if program != "" {
		if err := bindProgram(program); err != nil {
			return err
		}
	}
	parser, err := exec.LookPath("apparmor_parser")
	if err != nil {
		return nil // then there is no AppArmor either
	}
	return os.Symlink(parser, filepath.Join(stageBin, "apparmor_parser"))
}

// mountOverlay mounts the box's root filesystem as the box's root: overlayfs
// does its work on upper and work with the ids of who mounted it, and the
// host's root has none in these idmapped trees; it would fall back to a
// read-only mount.
func (d disk) mountOverlay(lower string) error {
	// A checkpoint takes a layer for what it says: no file's content is elsewhere.
	data := "lowerdir=" + lower + ",upperdir=" + stageOwn + "/upper,workdir=" + stageOwn + "/work,redirect_dir=nofollow,metacopy=off,index=off"
	if d.nested {
		data += ",userxattr" // others are the host's root's to write
	}
	err := asHostID(d.idBase, func() error { return unix.Mount("overlay", stageRootfs, "overlay", 0, data) })
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return errDiskFull(fmt.Errorf("mount the overlay of the box: %w", err))
	}
	if err != nil {
		return fmt.Errorf("mount overlay (%s) on %s: %w", data, stageRootfs, err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(stageRootfs, &st); err != nil {
		return fmt.Errorf("look at the mounted overlay: %w", err)
	}
	if st.Flags&unix.ST_RDONLY != 0 {
		if int64(st.Bavail)*st.Bsize < fullDisk {
			return &provider.ArgError{Arg: diskArg, Err: errors.New("the box's disk is so full that it cannot be mounted for writing: set a higher limit, or make room on the host")}
		}
		return errors.New("the overlay came up read-only: the filesystem of the data folder cannot hold an overlay's upper; " +
			"put it on ext4, xfs or btrfs with $BERTH_HOME")
	}
	return nil
}

// fullDisk is less than an overlay and a boot need.
const fullDisk = 64 << 10
