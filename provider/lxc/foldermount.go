package lxc

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/hostpath"
	"github.com/berth-dev/berth/provider"
)

// mountFolders puts the folders into their places below root, the box's
// filesystem, on the calling thread. They are made there and not by LXC, since
// what is mounted before the box's user namespace exists is locked in it
// (mount_namespaces(7)): the box's root can take away neither a read-only flag
// nor the mount that protects a file.
func mountFolders(trees []tree, root string, idBase uint32) error {
	if len(trees) == 0 {
		return nil
	}
	fd, err := openDir(unix.AT_FDCWD, root)
	if err != nil {
		return &os.PathError{Op: "open", Path: root, Err: err}
	}
	defer unix.Close(fd)
	for i, t := range trees {
		if err := t.attach(fd, idBase, trees[:i]); err != nil {
			return &provider.ArgError{Arg: "box.folder." + t.Target, Err: err}
		}
	}
	return nil
}

// attach mounts the tree, and its protected paths over themselves. before are
// the trees that are there already.
func (t tree) attach(root int, idBase uint32, before []tree) error {
	maker := idBase // the box's root
	for _, b := range before {
		if within(t.Target, b.Target) {
			maker = idBase + loginID // a new folder in a folder belongs to its owner
		}
	}
	at, err := makeTarget(root, t.Target, maker)
	if err != nil {
		return err
	}
	defer unix.Close(at)
	if err := moveMount(int(t.mount.Fd()), at); err != nil {
		return fmt.Errorf("mount %s on %s in the box: %w", t.Source, t.Target, err)
	}
	if t.ReadOnly {
		return nil
	}
	for _, p := range t.Protect {
		if err := protect(int(t.mount.Fd()), p); err != nil {
			return fmt.Errorf("make %s read-only in the box: %w", path.Join(t.Source, p), err)
		}
	}
	return nil
}

func moveMount(tree, at int) error {
	return unix.MoveMount(tree, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// inRoot are the rules for names within the box's filesystem: its root wrote
// them, so its symbolic links stay within it (openat2(2)).
const inRoot = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS

// makeTarget opens a folder in the box's filesystem, making what is missing of it
// as the id maker.
func makeTarget(root int, target string, maker uint32) (int, error) {
	at, err := openDir(root, ".")
	if err != nil {
		return -1, err
	}
	walked := ""
	for _, name := range hostpath.Parts(target) {
		walked += "/" + name
		how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: inRoot}
		next, err := unix.Openat2(root, walked, &how)
		if errors.Is(err, unix.ENOENT) {
			// The parent is open, and the name is one part: it leads nowhere else.
			if err = makeDirAs(maker, at, name); err == nil {
				next, err = unix.Openat2(root, walked, &how)
			}
		}
		unix.Close(at)
		if err != nil {
			return -1, explainTarget(target, walked, err)
		}
		at = next
	}
	return at, nil
}

func makeDirAs(id uint32, at int, name string) error {
	return asHostID(id, func() error { return unix.Mkdirat(at, name, 0o755) })
}

// explainTarget says why a target could not be opened or made.
func explainTarget(target, at string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.EEXIST), errors.Is(err, unix.ELOOP):
		hint = "; it is a symbolic link that leads nowhere: remove it in the box"
	case errors.Is(err, unix.ENOTDIR):
		hint = "; remove it in the box, or choose another target"
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EACCES), errors.Is(err, unix.EOVERFLOW):
		hint = "; it would be in another folder, where the box cannot make it: make it on the host"
	}
	return fmt.Errorf("make the folder %s in the box: %s: %w%s", target, at, err, hint)
}

// protect makes a path in a mounted folder read-only, by a mount over itself. It
// cannot be renamed or removed then either, being a mount point (rename(2),
// EBUSY). What does not exist is left out.
func protect(folder int, name string) error {
	at, err := unix.Openat2(folder, name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(at)
	var st unix.Stat_t
	if err := unix.Fstat(at, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return errors.New("it is a symbolic link, which a box could replace: put the file itself there, or make the folder readonly")
	}
	clone, err := unix.OpenTree(at, "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(clone)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | folderAttrs, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(clone, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return err
	}
	return moveMount(clone, at)
}
