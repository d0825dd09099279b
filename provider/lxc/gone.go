package lxc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/deep"
)

// goneName begins the names of what is being removed.
const goneName = ".gone-"

// goneDir is a folder of files that are to be removed, which can take long: that is
// done without the store's lock, for which others wait that start. As long as it
// is open it is locked, so that nobody else removes the same; the kernel unlocks it
// if this process dies.
type goneDir struct {
	path string
	f    *os.File
}

// newGone makes a folder for what is to be removed. The store's lock must be held,
// so that nobody claims it before it is locked.
func (s store) newGone() (*goneDir, error) {
	path, err := os.MkdirTemp(s.boxes(), goneName+"*")
	if err != nil {
		return nil, err
	}
	g, err := openGone(path)
	if g == nil && err == nil {
		err = fmt.Errorf("lock %s: somebody else has locked it", path)
	}
	return g, err
}

// openGone locks a folder; nil: somebody else is about to remove it, or has.
func openGone(path string) (*goneDir, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if err == unix.EWOULDBLOCK {
			return nil, nil
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &goneDir{path, f}, nil
}

// remove removes it with all that is in it.
func (g *goneDir) remove() error {
	defer g.f.Close()
	return deep.Remove(g.path)
}

func removeAll(all []*goneDir) error {
	var errs []error
	for _, g := range all {
		errs = append(errs, g.remove())
	}
	return errors.Join(errs...)
}

// claimGone takes what those have left that were killed while they removed it.
// The store's lock must be held.
func (s store) claimGone() []*goneDir {
	paths, _ := filepath.Glob(filepath.Join(s.boxes(), goneName+"*"))
	var all []*goneDir
	for _, path := range paths {
		if g, err := openGone(path); err == nil && g != nil {
			all = append(all, g)
		}
	}
	return all
}

// sweep removes such leftovers. They are not of the box that is being dealt with:
// what cannot be removed is left to the next one, and to berth gc, which says why.
func sweep(leftovers []*goneDir) { _ = removeAll(leftovers) }
