// Package layer writes layers of overlayfs: what the upper folder of a box has
// beyond the layers beneath, as a tree of its own that goes on top of them
// (Documentation/filesystems/overlayfs.rst of the kernel).
//
// What makes it more than a copy: the box may run meanwhile, the second look at
// it is short, and files keep their names, holes, attributes and ids.
package layer
