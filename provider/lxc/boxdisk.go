package lxc

import (
	"io/fs"
	"os"
	"path"
)

// maxSeedText bounds what is read of a box's file, which the box's root wrote.
const maxSeedText = 4 << 20

// boxDisk is a box's disk as its overlay shows it, of a box that is not running:
// for the few files that are looked at without mounting it.
type boxDisk struct {
	upper  *os.Root
	layers []string // folders, the topmost first
}

func (p *lxcProvider) boxDisk(upper *os.Root, r record) boxDisk {
	d := boxDisk{upper: upper}
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

// anyIn reports whether a folder has anything in it, or has had.
func (d boxDisk) anyIn(name string) (found bool) {
	d.each(func(root *os.Root) bool {
		entries, _ := fs.ReadDir(root.FS(), name) // none: not there
		found = len(entries) > 0
		return !found
	})
	return found
}

// textIn returns a file of a layer, and whether the layer has anything by that
// name. What is no regular file, such as a whiteout, is empty: a FIFO would keep
// the reader waiting for ever.
func textIn(root *os.Root, name string) (text string, there bool) {
	if _, err := root.Lstat(name); err != nil {
		return "", false
	}
	if st, err := root.Stat(name); err != nil || !st.Mode().IsRegular() || st.Size() > maxSeedText {
		return "", true
	}
	b, _ := root.ReadFile(name)
	return string(b), true
}

// writeIn replaces a file beneath root, whatever is there: a link is never
// followed, and missing folders are made.
func writeIn(root *os.Root, name, text string, mode fs.FileMode) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := root.RemoveAll(name); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Chmod(mode); err != nil { // whatever the umask is
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Close()
}

// linkIn makes a symbolic link, like writeIn.
func linkIn(root *os.Root, name, target string) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := root.RemoveAll(name); err != nil {
		return err
	}
	return root.Symlink(target, name)
}
