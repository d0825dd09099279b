package layer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/deep"
)

// Merge writes into the layer, whose top folder is open as out, what layers,
// topmost first, are together over base, which is beneath them all: a box over the
// one is as one over the others. Layers never change, and nothing in them is too
// deep for a path.
func (w *Writer) Merge(ctx context.Context, layers []string, base string, out int) error {
	m := &merge{look: look{Writer: w, ctx: ctx, final: true, links: newHardLinks()}}
	defer m.close()
	for _, path := range append([]string{base}, layers...) {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open the layer %s: %w", path, err)
		}
		m.open = append(m.open, fd)
	}
	return m.folder(&outDir{fd: out}, m.open[1:])
}

// merge is one Merge.
type merge struct {
	look
	open []int // the top folders: of the base, and of the layers, topmost first
}

func (m *merge) close() { closeAll(m.open) }

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// folder writes the folder o as those layers have it whose top folders are given:
// with the attributes that it has in the uppermost. No folder of a layer stays open
// while one in it is written, since there can be many layers.
func (m *merge) folder(o *outDir, tops []int) error {
	if err := errors.Join(m.ctx.Err(), o.bounded()); err != nil {
		return err
	}
	if err := o.make(); err != nil {
		return err
	}
	below, err := m.files(o, tops)
	if err != nil {
		return err
	}
	for _, sub := range below {
		err := m.folder(sub.out, sub.tops)
		sub.out.close()
		if err != nil {
			return err
		}
	}
	fd, err := openIn(tops[0], o.path)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("look at /%s in a layer: %w", o.path, err)
	}
	return m.attributes(fd, o, &st)
}

// mergedDir is a folder that is still to be written.
type mergedDir struct {
	out  *outDir
	tops []int // of the layers that it is made of
}

// files writes all in o that is no folder, and returns what is.
func (m *merge) files(o *outDir, tops []int) ([]mergedDir, error) {
	base, err := m.base(o)
	if err != nil {
		return nil, err
	}
	defer closeAll(base)
	var dirs []int
	defer func() { closeAll(dirs) }()
	var all []string
	for _, top := range tops {
		fd, err := openIn(top, o.path)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, fd)
		names, err := deep.Names(fd)
		if err != nil {
			return nil, fmt.Errorf("read the folder /%s of a layer: %w", o.path, err)
		}
		all = append(all, names...)
	}
	slices.Sort(all)
	var below []mergedDir
	for _, name := range slices.Compact(all) {
		sub, err := m.entry(o, name, dirs, tops)
		if errors.Is(err, errWhite) {
			err = whiteoutOver(base, o, name)
		}
		if err != nil {
			return nil, fmt.Errorf("join the layers' /%s: %w", joinPath(o.path, name), err)
		}
		if sub != nil {
			below = append(below, *sub)
		}
	}
	return below, nil
}

// base opens the folder o of the base; if that has none, nothing in o hides
// anything. What hides nothing must not be in a layer: it would show in lists of the
// folder (overlayfs.rst, "readdir").
func (m *merge) base(o *outDir) ([]int, error) {
	if o.covered {
		return nil, nil
	}
	fd, err := openIn(m.open[0], o.path)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		o.covered = true
		return nil, nil
	}
	return []int{fd}, err
}

// openIn opens a folder of a layer.
func openIn(top int, path string) (int, error) {
	if path == "" {
		path = "."
	}
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(top, path, &how)
	if err != nil {
		return -1, fmt.Errorf("open the folder /%s of a layer: %w", path, err)
	}
	return fd, nil
}

// entry writes what a name is in the uppermost of the layers that have it. dirs are
// the folder o in each.
func (m *merge) entry(o *outDir, name string, dirs, tops []int) (*mergedDir, error) {
	var sub *mergedDir
	for i, dir := range dirs {
		var st unix.Stat_t
		err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return nil, err
		}
		n := nodeOf(&st)
		switch {
		case n.Mode != unix.S_IFDIR && sub != nil: // the folder above it hides what is beneath
			sub.out.hide()
			return sub, nil
		case n.White:
			return nil, errWhite
		case n.Mode != unix.S_IFDIR:
			return nil, m.copy(dir, name, &st, o)
		case sub == nil:
			sub = &mergedDir{out: o.in(name, false)}
		}
		sub.tops = append(sub.tops, tops[i])
		opaque, err := m.hasOverlay(dir, name, "opaque")
		if err != nil {
			return nil, err
		}
		if opaque {
			sub.out.hide()
			return sub, nil
		}
	}
	return sub, nil
}

// errWhite means that a name is gone from what is beneath.
var errWhite = errors.New("it is a whiteout")

// whiteoutOver notes that what the base has by a name, if anything, is gone.
func whiteoutOver(base []int, o *outDir, name string) error {
	for _, dir := range base {
		err := unix.Fstatat(dir, name, &unix.Stat_t{}, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return o.whiteout(name)
}
