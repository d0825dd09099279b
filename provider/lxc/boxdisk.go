package lxc

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
)

// maxSeedText bounds what is read of a box's file, which the box's root wrote.
const maxSeedText = 4 << 20

// boxDisk is a box's disk as its overlay shows it, of a box that is not running:
// for the few files that are looked at without mounting it.
type boxDisk struct {
	upper  *os.Root
	layers []string // folders, the topmost first
	attrs  string   // begins the names of overlayfs's attributes
}

func (p *lxcProvider) boxDisk(upper *os.Root, r record) boxDisk {
	d := boxDisk{upper: upper, attrs: p.overlayAttrs()}
	for _, layer := range r.Layers {
		d.layers = append(d.layers, p.store.layer(layer))
	}
	return d
}

// each calls look with the upper folder and then with each layer, until it
// returns false.
func (d boxDisk) each(look func(*os.Root) bool) {
	if !look(d.upper) {
		return
	}
	for _, layer := range d.layers {
		root, err := os.OpenRoot(layer)
		if err != nil {
			continue
		}
		more := look(root)
		root.Close()
		if !more {
			return
		}
	}
}

// text returns a file as the box sees it: its own, else its image's. What cannot
// be read, such as a link that leads out, or is too large counts as empty.
func (d boxDisk) text(name string) (text string) {
	d.each(func(root *os.Root) bool {
		var there bool
		text, there = textIn(root, name)
		return !there
	})
	return text
}

// lstat describes what is topmost by that name, a whiteout too.
func (d boxDisk) lstat(name string) (st fs.FileInfo, err error) {
	d.each(func(root *os.Root) bool {
		st, err = root.Lstat(name)
		return err != nil
	})
	return st, err
}

// has reports whether there is anything by that name.
func (d boxDisk) has(name string) bool {
	st, err := d.lstat(name)
	return err == nil && !isWhiteout(st.Mode())
}

func (d boxDisk) readlink(name string) (target string, err error) {
	d.each(func(root *os.Root) bool {
		target, err = root.Readlink(name)
		return errors.Is(err, fs.ErrNotExist)
	})
	return target, err
}

// names returns what is in a folder, unless that hides what is beneath it as a whole,
// which no folder does that is looked at here.
func (d boxDisk) names(dir string) []string {
	there := map[string]bool{} // false: a whiteout
	d.each(func(root *os.Root) bool {
		entries, _ := readDirIn(root, dir) // none: not there
		for _, e := range entries {
			if _, known := there[e.Name()]; !known {
				there[e.Name()] = !isWhiteout(e.Type())
			}
		}
		return true
	})
	maps.DeleteFunc(there, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(there))
}

// isWhiteout reports whether a file says that there is none: no box can make
// other devices.
func isWhiteout(mode fs.FileMode) bool { return mode&fs.ModeCharDevice != 0 }

// textIn returns a file of a layer, and whether the layer has anything by that
// name. What is no regular file, such as a whiteout, is empty.
func textIn(root *os.Root, name string) (text string, there bool) {
	if _, err := root.Lstat(name); err != nil {
		return "", false
	}
	b, _ := readFileIn(root, name, maxSeedText)
	return string(b), true
}

// tmpName is what is made under this name and then gets its own.
const tmpName = ".berth.new"

// writeIn replaces a file beneath root at once or not at all, whatever is there: a
// link is never followed, and missing folders are made.
func writeIn(root *os.Root, name, text string, mode fs.FileMode) error {
	dir := path.Dir(name)
	if err := root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp := dir + "/" + tmpName
	if err := removeIn(root, tmp); err != nil { // of a process that was killed
		return err
	}
	f, err := root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(mode), f.Close()) // whatever the umask is
	if st, statErr := root.Lstat(name); err == nil && statErr == nil && st.IsDir() {
		err = removeIn(root, name)
	}
	if err == nil {
		err = root.Rename(tmp, name)
	}
	if err != nil {
		_ = root.Remove(tmp) // the error says enough
	}
	return err
}

// linkIn makes a symbolic link, like writeIn.
func linkIn(root *os.Root, name, target string) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := removeIn(root, name); err != nil {
		return err
	}
	return root.Symlink(target, name)
}
