package layer

import "golang.org/x/sys/unix"

// Node is how a file of a box's upper folder was when it was kept. A file with
// the same number and time of change is the same, with all its attributes: the
// time of change is the kernel's, and nobody in a box can set it (inode(7)).
type Node struct {
	Ino    uint64
	Ctime  int64  // nanoseconds
	Mode   uint32 // the type alone
	White  bool   // a whiteout: what a layer beneath has is gone
	Opaque bool   // a folder that hides what layers beneath have in it
	Kids   map[string]*Node
}

func nodeOf(st *unix.Stat_t) *Node {
	return &Node{Ino: st.Ino, Ctime: unix.TimespecToNsec(st.Ctim), Mode: st.Mode & unix.S_IFMT,
		White: st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0} // overlayfs.rst, "whiteouts and opaque directories"
}

// kid returns what was in a folder, nil for nothing.
func (n *Node) kid(name string) *Node {
	if n == nil {
		return nil
	}
	return n.Kids[name]
}

// is reports whether two are the same file, unchanged. All whiteouts are links
// to one file, so theirs says nothing.
func (n *Node) is(o *Node) bool {
	return n != nil && (n.White && o.White || n.Ino == o.Ino && n.Ctime == o.Ctime && n.Mode == o.Mode && n.White == o.White)
}

// sameFolder reports whether both are one folder, whatever happened in it.
func (n *Node) sameFolder(o *Node) bool {
	return n != nil && n.Mode == unix.S_IFDIR && o.Mode == unix.S_IFDIR && n.Ino == o.Ino && n.Opaque == o.Opaque
}
