package lxc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// keeper writes a layer with what a box's upper folder has beyond the layer
// beneath. It can look at the box twice: first while it runs, which takes as
// long as the copying does, and then while it stands still, which takes as long
// as looking at every file's times.
//
// The box's root may do anything with the upper folder meanwhile: all is done
// relative to open folders, no link is followed, and what is opened is looked at
// again.
type keeper struct {
	ctx     context.Context
	beneath kept // what the layers beneath have already
	// cutoff is the time from which on the first look's word is not taken.
	cutoff  int64
	final   bool      // the box stands still
	whole   bool      // what makes the box itself is copied too
	links   hardLinks // of this look
	size    int64     // bytes copied
	noClone bool      // the filesystem has no reflinks
	attrs   string    // begins the names of overlayfs's attributes
	buf     []byte
}

// clockGrain is more than a file's time can be behind the clock: the kernel's
// coarse clock moves every 10 ms or less.
const clockGrain = 20 * time.Millisecond

// errChanged means that a file became another between two looks at it.
var errChanged = errors.New("it changed meanwhile")

// look brings the layer out to what the folder upper is now. before is what an
// earlier look has seen, nil for none.
func (k *keeper) look(upper string, out int, before *node) (*node, error) {
	u, err := unix.Open(upper, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the box's disk %s: %w", upper, err)
	}
	defer unix.Close(u)
	var st unix.Stat_t
	if err := unix.Fstat(u, &st); err != nil {
		return nil, fmt.Errorf("look at the box's disk %s: %w", upper, err)
	}
	top := nodeOf(&st)
	o := &outDir{fd: out}
	// Names of an earlier look say nothing: the folder that one was in can have
	// been moved, and another file have come to its place.
	k.links = newHardLinks()
	if err := k.folder(u, o, k.beneath.Top, before, top); err != nil {
		return nil, err
	}
	if k.final {
		if err := k.joinNames(u, o); err != nil {
			return nil, err
		}
	}
	return top, k.attributes(u, o, &st)
}

// folder deals with all that is in the folder u. beneath is what the layer
// beneath has in it, before what the earlier look has seen; now takes what is
// seen.
func (k *keeper) folder(u int, o *outDir, beneath, before, now *node) error {
	names, err := namesIn(u)
	if err != nil {
		return fmt.Errorf("read the box's folder /%s: %w", o.path, err)
	}
	now.Kids = make(map[string]*node, len(names))
	for _, name := range names {
		if err := k.ctx.Err(); err != nil {
			return err
		}
		if !k.whole && isPersonal(joinPath(o.path, name)) {
			continue
		}
		err := k.entry(u, name, o, beneath.kid(name), before.kid(name), now)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, errChanged) {
			if k.final {
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
	return k.gone(o, beneath, before, now)
}

// gone deals with what is not there any more.
func (k *keeper) gone(o *outDir, beneath, before, now *node) error {
	if before != nil {
		for name := range before.Kids {
			if now.Kids[name] == nil {
				if err := o.remove(name); err != nil {
					return err
				}
			}
		}
	}
	if beneath == nil || !k.final {
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
func (k *keeper) entry(u int, name string, o *outDir, beneath, before, parent *node) error {
	var st unix.Stat_t
	if err := unix.Fstatat(u, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	n := nodeOf(&st)
	if n.Mode == unix.S_IFREG && st.Size == 0 {
		white, err := k.hasOverlay(u, name, "whiteout")
		if err != nil {
			return err
		}
		n.White = white
	}
	parent.Kids[name] = n
	if n.Mode == unix.S_IFDIR {
		return k.subfolder(u, name, &st, o, beneath, before, n)
	}
	if !n.White {
		k.links.seen(&st, joinPath(o.path, name))
	}
	if before.is(n) && (n.White || n.Ctime < k.cutoff) {
		return nil // the earlier look has seen to it
	}
	if before != nil {
		if err := o.remove(name); err != nil {
			return err
		}
	}
	if beneath.is(n) && (n.White || n.Ctime < k.beneath.Cutoff) && !shared[joinPath(o.path, name)] {
		return nil
	}
	if n.White {
		return o.whiteout(name)
	}
	if err := k.copy(u, name, &st, o); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, errChanged) {
		return fmt.Errorf("keep /%s: %w", joinPath(o.path, name), err)
	} else if err != nil {
		return err
	}
	return nil
}

// subfolder deals with a folder and what is in it.
func (k *keeper) subfolder(u int, name string, st *unix.Stat_t, o *outDir, beneath, before, n *node) error {
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
	if n.Opaque, err = k.hasOverlay(u, name, "opaque"); err != nil {
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
	defer sub.close()
	if err := sub.find(); err != nil {
		return err
	}
	if !same || n.Ctime != beneath.Ctime || n.Ctime >= k.beneath.Cutoff {
		if err := sub.make(); err != nil {
			return err
		}
	}
	if !same {
		beneath = nil
	}
	if err := k.folder(fd, sub, beneath, before, n); err != nil {
		return err
	}
	if sub.fd < 0 || !k.final {
		return nil
	}
	return k.attributes(fd, sub, st)
}

// namesIn lists a folder in the order of names.
func namesIn(fd int) ([]string, error) {
	again, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) // with a place of its own in the list
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(again), ".")
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.Sort(names)
	return names, err
}
