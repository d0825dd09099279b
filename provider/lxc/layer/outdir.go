package layer

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/deep"
)

// outDir is a folder of a layer that is being written. It comes into being when
// something in it does: what has not changed is in the layers beneath.
type outDir struct {
	parent *outDir // nil: the top
	name   string
	path   string // from the top
	depth  int    // of the top: 0
	fd     int    // -1: not there
	// opaque says that it must hide what layers beneath have in it, covered that
	// it or one above does, so that there is nothing to hide in it.
	opaque, covered bool
}

// in returns what is, or will be, the folder name in o.
func (o *outDir) in(name string, opaque bool) *outDir {
	return &outDir{parent: o, name: name, path: joinPath(o.path, name), depth: o.depth + 1, fd: -1, opaque: opaque, covered: opaque || o.covered}
}

// What a layer can hold: a folder that is being looked at takes descriptors for
// itself and all above, and hard links are made by path.
const (
	maxDepth = 500
	maxPath  = unix.PathMax - 1
)

// ErrDeep means that folders are nested beyond what a layer can hold.
var ErrDeep = errors.New("it is too deep in other folders to be kept")

func (o *outDir) bounded() error {
	if o.depth <= maxDepth && len(o.path) < maxPath {
		return nil
	}
	return fmt.Errorf("keep /%.80s...: %w: Berth keeps folders in folders to a depth of %d, with paths of up to %d bytes: move it up, or remove it",
		o.path, ErrDeep, maxDepth, maxPath)
}

// hide has the folder hide what layers beneath have in it.
func (o *outDir) hide() { o.opaque, o.covered = true, true }

// top returns the layer's top folder.
func (o *outDir) top() *outDir {
	for o.parent != nil {
		o = o.parent
	}
	return o
}

func joinPath(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// find opens the folder if it is there.
func (o *outDir) find() error {
	if o.fd >= 0 || o.parent.fd < 0 {
		return nil
	}
	fd, err := unix.Openat(o.parent.fd, o.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the layer's folder %s: %w", o.path, err)
	}
	o.fd = fd
	return nil
}

// make makes the folder, and those above. Its attributes come last (see attributes).
func (o *outDir) make() error {
	if o.fd >= 0 {
		return nil
	}
	if err := o.parent.make(); err != nil {
		return err
	}
	if err := unix.Mkdirat(o.parent.fd, o.name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make the layer's folder %s: %w", o.path, err)
	}
	return o.find()
}

func (o *outDir) close() {
	if o.fd >= 0 && o.parent != nil {
		unix.Close(o.fd)
	}
	o.fd = -1
}

// remove removes what an earlier look at the box has put there.
func (o *outDir) remove(name string) error {
	if o.fd < 0 {
		return nil
	}
	err := unix.Unlinkat(o.fd, name, 0)
	switch {
	case err == nil || errors.Is(err, unix.ENOENT):
		return nil
	case !errors.Is(err, unix.EISDIR):
		return fmt.Errorf("remove %s from the layer: %w", joinPath(o.path, name), err)
	}
	sub := o.in(name, false)
	if err := sub.find(); err != nil {
		return err
	}
	defer sub.close()
	names, err := deep.Names(sub.fd)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := sub.remove(n); err != nil {
			return err
		}
	}
	return unix.Unlinkat(o.fd, name, unix.AT_REMOVEDIR)
}

// whiteout notes that what layers beneath have by that name is gone.
func (o *outDir) whiteout(name string) error {
	if o.covered {
		return nil
	}
	if err := o.make(); err != nil {
		return err
	}
	if err := unix.Mknodat(o.fd, name, unix.S_IFCHR, 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("note that %s is gone: %w", joinPath(o.path, name), err)
	}
	return nil
}
