package lxc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/layer"
)

// maxLinks is how many symbolic links a path in a box may have, as for the kernel
// (path_resolution(7)).
const maxLinks = 40

// A folder that is new in the upper folder hides those of that name in the layers,
// but for what is in them: owner, mode and all else are the new one's. So what is
// written where only layers have a folder gets one that is as theirs, as overlayfs
// does it; and where a layer has a link on the way, it is written where that leads.

// place is a folder of the box and what has it, the topmost first.
type place struct {
	name string // without links, from the top
	in   []*os.Root
}

// write replaces a file of the box, as writeIn does.
func (d boxDisk) write(name, text string, mode fs.FileMode) error {
	dir, err := d.walk(path.Dir(name), true)
	if err != nil {
		return err
	}
	return writeIn(d.upper, path.Join(dir, path.Base(name)), text, mode)
}

// link makes a symbolic link, as linkIn does.
func (d boxDisk) link(name, target string) error {
	dir, err := d.walk(path.Dir(name), true)
	if err != nil {
		return err
	}
	return linkIn(d.upper, path.Join(dir, path.Base(name)), target)
}

// walk returns the folder that a name leads to in the box, without links. With
// missing it and those above are made in the upper folder, where that has them not.
func (d boxDisk) walk(dir string, missing bool) (string, error) {
	if d.plain(dir) {
		return dir, nil
	}
	roots, done := d.roots()
	defer done()
	w := walk{disk: d, missing: missing, way: []place{{".", roots}}, todo: strings.Split(dir, "/")}
	for len(w.todo) > 0 {
		if err := w.next(); err != nil {
			return "", err
		}
	}
	return w.here().name, nil
}

// walk is on its way to a folder.
type walk struct {
	disk    boxDisk
	missing bool // what is missing is made
	way     []place
	todo    []string
	links   int // so far
}

func (w *walk) here() place { return w.way[len(w.way)-1] }

// next takes the first of the names that are left.
func (w *walk) next() error {
	name := w.todo[0]
	w.todo = w.todo[1:]
	switch name {
	case "", ".":
		return nil
	case "..":
		w.way = w.way[:max(1, len(w.way)-1)]
		return nil
	}
	to, link, err := w.disk.step(w.here(), name)
	if err == nil && link != "" {
		return w.follow(to.name, link)
	}
	if err == nil && w.missing && (len(to.in) == 0 || to.in[0] != w.disk.upper) {
		to.in, err = w.disk.make(w.here(), to)
	}
	w.way = append(w.way, to)
	return err
}

// follow goes on where a link leads, which is the box's: its top is the upper folder.
func (w *walk) follow(name, link string) error {
	if w.links++; w.links > maxLinks {
		return &fs.PathError{Op: "follow", Path: name, Err: unix.ELOOP}
	}
	if path.IsAbs(link) {
		w.way = w.way[:1]
	}
	w.todo = append(strings.Split(link, "/"), w.todo...)
	return nil
}

// plain reports whether the upper folder has a folder and those above: the rule, but
// for a new box.
func (d boxDisk) plain(dir string) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		if st, err := d.upper.Lstat(dir); err != nil || !st.IsDir() {
			return false
		}
	}
	return true
}

// roots opens all that the disk is made of.
func (d boxDisk) roots() (all []*os.Root, done func()) {
	all = []*os.Root{d.upper}
	for _, layer := range d.layers {
		if root, err := os.OpenRoot(layer); err == nil {
			all = append(all, root)
		}
	}
	return all, func() {
		for _, root := range all[1:] {
			root.Close()
		}
	}
}

// step returns what has a folder in another, or where a link leads that is there
// instead. Whatever else is there, a whiteout too, counts as nothing.
func (d boxDisk) step(at place, name string) (next place, link string, err error) {
	next.name = path.Join(at.name, name)
	for _, root := range at.in {
		st, err := root.Lstat(next.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return next, "", err
		}
		if !st.IsDir() { // it hides what is beneath
			if len(next.in) == 0 && st.Mode()&fs.ModeSymlink != 0 {
				link, err = root.Readlink(next.name)
			}
			return next, link, err
		}
		next.in = append(next.in, root)
		if d.isOpaque(root, next.name) {
			break
		}
	}
	return next, "", nil
}

// isOpaque reports whether a folder hides those beneath it.
func (d boxDisk) isOpaque(root *os.Root, name string) bool {
	f, err := openDirIn(root, name)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = unix.Fgetxattr(int(f.Fd()), d.attrs+"opaque", make([]byte, 8))
	return err == nil
}

// make gives the upper folder a folder in another that it has, and returns what has
// it now. It is there as a whole or not at all.
func (d boxDisk) make(at, next place) ([]*os.Root, error) {
	tmp := path.Join(at.name, tmpName)
	before, err := d.upper.Stat(at.name)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(removeIn(d.upper, tmp), d.upper.Mkdir(tmp, 0o755), d.upper.Chmod(tmp, 0o755)); err != nil {
		return nil, err
	}
	in := append([]*os.Root{d.upper}, next.in...)
	if len(next.in) > 0 {
		defer d.setTimes(at.name, before) // nothing is new in it for the box
		if err := d.copyFolder(next.in[0], next.name, tmp); err != nil {
			return nil, fmt.Errorf("make /%s as it is in a layer: %w", next.name, err)
		}
	}
	if _, err := d.upper.Lstat(next.name); err == nil { // a whiteout, or what is no folder
		if err := errors.Join(d.hideBeneath(tmp), removeIn(d.upper, next.name)); err != nil {
			return nil, err
		}
	}
	return in, d.upper.Rename(tmp, next.name)
}

// copyTop makes the root folder of a box from a checkpoint as it is in that.
func (d boxDisk) copyTop() error {
	if len(d.layers) < 2 { // an image
		return nil
	}
	top, err := os.OpenRoot(d.layers[0])
	if err != nil {
		return err
	}
	defer top.Close()
	return d.copyFolder(top, ".", ".")
}

// copyFolder gives a folder of the upper folder what one of root's has.
func (d boxDisk) copyFolder(root *os.Root, name, to string) error {
	from, err := openDirIn(root, name)
	if err != nil {
		return err
	}
	defer from.Close()
	dst, err := openDirIn(d.upper, to)
	if err != nil {
		return err
	}
	defer dst.Close()
	w := layer.Writer{Attrs: d.attrs}
	return w.CopyFolder(from, dst)
}

// hideBeneath makes a folder of the upper folder hide what the layers have.
func (d boxDisk) hideBeneath(name string) error {
	f, err := openDirIn(d.upper, name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Fsetxattr(int(f.Fd()), d.attrs+"opaque", []byte("y"), 0); err != nil {
		return fmt.Errorf("hide what is beneath /%s: %w", name, err)
	}
	return nil
}

// setTimes gives a folder the times that it had, if it can.
func (d boxDisk) setTimes(name string, st fs.FileInfo) {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		_ = d.upper.Chtimes(name, time.Unix(sys.Atim.Unix()), st.ModTime())
	}
}
