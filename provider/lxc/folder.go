package lxc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// tree is a folder of the host as a detached mount, with its ids mapped, which
// waits for its place in a box.
type tree struct {
	provider.Folder
	mount *os.File
}

// folderAttrs hold for every folder: what a program on the host could be tricked
// into does not work from within the box either.
const folderAttrs = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV

// openFolder opens a folder's source. What is wrong with it is an ArgError.
func (p *lxcProvider) openFolder(f provider.Folder) (*os.File, error) {
	source, err := openSource(f.Source)
	if err == nil {
		var real string
		if real, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", source.Fd())); err == nil {
			err = checkSource(real, p.store.root)
		}
		if err != nil {
			source.Close()
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no folder %s", f.Source)
	}
	if err != nil {
		return nil, &provider.ArgError{Arg: "box.folder." + f.Target, Err: err}
	}
	return source, nil
}

// cloneFolders opens the folders on the calling thread, in whose mount namespace
// they must be, before anything covers them there.
func (p *lxcProvider) cloneFolders(ctx context.Context, folders []provider.Folder, idBase uint32) (trees []tree, err error) {
	defer func() {
		if err != nil {
			closeTrees(trees)
		}
	}()
	namespaces := map[folderOwner]*os.File{}
	defer func() {
		for _, ns := range namespaces {
			ns.Close()
		}
	}()
	for _, f := range folders {
		source, err := p.openFolder(f)
		if err != nil {
			return trees, err
		}
		mount, err := cloneFolder(ctx, f, source, idBase, namespaces)
		source.Close()
		if err != nil {
			return trees, &provider.ArgError{Arg: "box.folder." + f.Target, Err: err}
		}
		trees = append(trees, tree{f, mount})
	}
	return trees, nil
}

// cloneFolder makes the detached mount of one folder.
func cloneFolder(ctx context.Context, f provider.Folder, source *os.File, idBase uint32, namespaces map[folderOwner]*os.File) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(source.Fd()), &st); err != nil {
		return nil, fmt.Errorf("look at %s: %w", f.Source, err)
	}
	o := owner(st.Uid, st.Gid)
	if namespaces[o] == nil {
		ns, err := userNamespace(ctx, idMap(o.uid, idBase), idMap(o.gid, idBase))
		if err != nil {
			return nil, err
		}
		namespaces[o] = ns
	}
	fd, err := unix.OpenTree(int(source.Fd()), "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("clone the mount of %s: %w", f.Source, err)
	}
	mount := os.NewFile(uintptr(fd), f.Source)
	attr := unix.MountAttr{
		Attr_set: unix.MOUNT_ATTR_IDMAP | folderAttrs,
		// What the host mounts in the folder later must not appear in the box,
		// where its ids would not be mapped.
		Propagation: unix.MS_PRIVATE,
		Userns_fd:   uint64(namespaces[o].Fd()),
	}
	if f.ReadOnly {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		mount.Close()
		return nil, explainMap(f.Source, err)
	}
	return mount, nil
}

// explainMap says why the ids of a folder could not be mapped.
func explainMap(source string, err error) error {
	if !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("map the ids of %s: %w", source, err)
	}
	return fmt.Errorf("the ids of %s cannot be mapped to the box's: its filesystem (%s) does not allow that. "+
		`Put it on ext4, xfs, btrfs or tmpfs, or copy it into the box with type = "rsync": %w`, source, filesystem(source), err)
}

func closeTrees(trees []tree) {
	for _, t := range trees {
		t.mount.Close()
	}
}
