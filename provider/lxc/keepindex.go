package lxc

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// node is how a file of a box's upper folder was when it was kept. A file with
// the same number and time of change is the same, with all its attributes: the
// time of change is the kernel's, and nobody in a box can set it (inode(7)).
type node struct {
	Ino    uint64
	Ctime  int64  // nanoseconds
	Mode   uint32 // the type alone
	White  bool   // a whiteout: what a layer beneath has is gone
	Opaque bool   // a folder that hides what layers beneath have in it
	Kids   map[string]*node
}

func nodeOf(st *unix.Stat_t) *node {
	return &node{Ino: st.Ino, Ctime: unix.TimespecToNsec(st.Ctim), Mode: st.Mode & unix.S_IFMT,
		White: st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0} // overlayfs.rst, "whiteouts and opaque directories"
}

// kid returns what was in a folder, nil for nothing.
func (n *node) kid(name string) *node {
	if n == nil {
		return nil
	}
	return n.Kids[name]
}

// is reports whether two are the same file, unchanged. All whiteouts are links
// to one file, so theirs says nothing.
func (n *node) is(o *node) bool {
	return n != nil && (n.White && o.White || n.Ino == o.Ino && n.Ctime == o.Ctime && n.Mode == o.Mode && n.White == o.White)
}

// sameFolder reports whether both are one folder, whatever happened in it.
func (n *node) sameFolder(o *node) bool {
	return n != nil && n.Mode == unix.S_IFDIR && o.Mode == unix.S_IFDIR && n.Ino == o.Ino && n.Opaque == o.Opaque
}

// kept is what the last checkpoint of a box has of its upper folder:
// boxes/ID/kept.
type kept struct {
	Layers []string // of the checkpoint, topmost first
	// Cutoff is the time from which on a file can have changed, and been kept
	// before that, without its time of change telling.
	Cutoff int64
	Top    *node
}

// loadKept returns what the last checkpoint has, if its layers are all there and
// it was of the same disk; else nothing, and the next one keeps everything.
func (s store) loadKept(r record) kept {
	none := kept{Layers: r.Layers}
	f, err := os.Open(s.file(r.ID, "kept"))
	if err != nil {
		return none
	}
	defer f.Close()
	var k kept
	if gob.NewDecoder(f).Decode(&k) != nil || k.Top == nil {
		return none
	}
	beneath := len(k.Layers) - len(r.Layers)
	if beneath < 1 || len(k.Layers) > maxLayers || !slices.Equal(k.Layers[beneath:], r.Layers) {
		return none
	}
	for _, l := range k.Layers {
		if _, err := os.Stat(s.layer(l)); err != nil {
			return none
		}
	}
	return k
}

func (s store) saveKept(id string, k kept) error {
	f, err := renameio.NewPendingFile(s.file(id, "kept"))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if err := gob.NewEncoder(f).Encode(k); err != nil {
		return fmt.Errorf("note what the checkpoint has: %w", err)
	}
	return f.CloseAtomicallyReplace()
}

// forgetKept must come before a box gets another disk.
func (s store) forgetKept(id string) error {
	if err := os.Remove(s.file(id, "kept")); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
