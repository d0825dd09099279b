package layer

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/deep"
)

// folder deals with all that is in the folder u. beneath is what the layer
// beneath has in it, before what the earlier look has seen; now takes what is
// seen.
func (l *look) folder(u int, o *outDir, beneath, before, now *Node) error {
	names, err := deep.Names(u)
	if err != nil {
		return fmt.Errorf("read the box's folder /%s: %w", o.path, err)
	}
	now.Kids = make(map[string]*Node, len(names))
	for _, name := range names {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if l.Skip != nil && l.Skip(joinPath(o.path, name)) {
			continue
		}
		err := l.entry(u, name, o, beneath.kid(name), before.kid(name), now)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, errChanged) {
			if l.final {
				return fmt.Errorf("keep /%s: %w", joinPath(o.path, name), err)
			}
			delete(now.Kids, name) // the next look finds what it is
			if err := o.remove(name); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
	}
	return l.gone(o, beneath, before, now)
}

// gone deals with what is not there any more.
func (l *look) gone(o *outDir, beneath, before, now *Node) error {
	if before != nil {
		for name := range before.Kids {
			if now.Kids[name] == nil {
				if err := o.remove(name); err != nil {
					return err
				}
			}
		}
	}
	if beneath == nil || !l.final {
		return nil
	}
	for name, b := range beneath.Kids {
		if now.Kids[name] == nil && !b.White {
			if err := o.whiteout(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// entry deals with one name.
func (l *look) entry(u int, name string, o *outDir, beneath, before, parent *Node) error {
	var st unix.Stat_t
	if err := unix.Fstatat(u, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	n := nodeOf(&st)
	if n.Mode == unix.S_IFREG && st.Size == 0 {
		white, err := l.hasOverlay(u, name, "whiteout")
		if err != nil {
			return err
		}
		n.White = white
	}
	parent.Kids[name] = n
	if n.Mode == unix.S_IFDIR {
		return l.subfolder(u, name, &st, o, beneath, before, n)
	}
	if !n.White {
		l.links.seen(&st, joinPath(o.path, name))
	}
	if before.is(n) && (n.White || n.Ctime < l.Cutoff) {
		return nil // the earlier look has seen to it
	}
	if before != nil {
		if err := o.remove(name); err != nil {
			return err
		}
	}
	if beneath.is(n) && (n.White || n.Ctime < l.BeneathCutoff) && l.Edit[joinPath(o.path, name)] == nil {
		return nil
	}
	if n.White {
		return o.whiteout(name)
	}
	if err := l.copy(u, name, &st, o); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, errChanged) {
		return fmt.Errorf("keep /%s: %w", joinPath(o.path, name), err)
	} else if err != nil {
		return err
	}
	return nil
}

// subfolder deals with a folder and what is in it.
func (l *look) subfolder(u int, name string, st *unix.Stat_t, o *outDir, beneath, before, n *Node) error {
	fd, err := unix.Openat(u, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return errChanged
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var opened unix.Stat_t
	if err := unix.Fstat(fd, &opened); err != nil {
		return err
	}
	if opened.Ino != st.Ino {
		return errChanged
	}
	if n.Opaque, err = l.hasOverlay(u, name, "opaque"); err != nil {
		return err
	}
	if !before.sameFolder(n) {
		if before != nil {
			if err := o.remove(name); err != nil {
				return err
			}
		}
		before = nil
	}
	same := beneath.sameFolder(n)
	// A folder that is not the one beneath hides that, be it a folder or not.
	sub := o.in(name, !same && (n.Opaque || beneath != nil))
	if err := sub.bounded(); err != nil {
		return err
	}
	defer sub.close()
	if err := sub.find(); err != nil {
		return err
	}
	if !same || n.Ctime != beneath.Ctime || n.Ctime >= l.BeneathCutoff {
		if err := sub.make(); err != nil {
			return err
		}
	}
	if !same {
		beneath = nil
	}
	if err := l.folder(fd, sub, beneath, before, n); err != nil {
		return err
	}
	if sub.fd < 0 || !l.final {
		return nil
	}
	return l.attributes(fd, sub, st)
}
