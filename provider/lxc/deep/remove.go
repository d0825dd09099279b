package deep

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// levels is how deep a removal goes at a time, with a descriptor for each level.
const levels = 100

// Remove removes a file or a tree, as os.RemoveAll does. What it cannot remove does
// not keep it from removing the rest.
func Remove(path string) error {
	dir, name := filepath.Split(filepath.Clean(path))
	if dir == "" {
		dir = "."
	}
	parent, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: open the folder it is in: %w", path, err)
	}
	defer unix.Close(parent)
	if err := RemoveIn(parent, name); err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// RemoveIn removes what has a name in an open folder.
func RemoveIn(dir int, name string) error {
	if gone, err := unlink(dir, name); gone || err != nil {
		return err
	}
	top, err := openFolder(dir, name)
	if err != nil {
		return err
	}
	defer unix.Close(top)
	r := &remover{top: top}
	for more := true; more; {
		r.hoisted = false
		r.empty(top, 0)
		more = r.hoisted
	}
	if r.err != nil {
		return r.err
	}
	return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
}

// remover removes what is in the folder top. What is too deep in it is moved up,
// into top itself, and is removed from there in the next pass.
type remover struct {
	top     int
	moved   int  // names given in top
	hoisted bool // this pass has moved something there
	err     error
}

// failed remembers the first error: one says enough.
func (r *remover) failed(name string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%.200s: %w", name, err)
	}
}

func (r *remover) empty(dir, depth int) {
	names, err := Names(dir)
	if err != nil {
		r.failed(".", err)
	}
	for _, name := range names {
		gone, err := unlink(dir, name)
		if !gone && err == nil {
			err = r.folder(dir, name, depth)
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			r.failed(name, err)
		}
	}
}

// folder removes a folder that is not empty, or moves it up.
func (r *remover) folder(dir int, name string, depth int) error {
	if depth == levels {
		err := r.hoist(dir, name)
		if errors.Is(err, unix.EXDEV) { // a subvolume: its own top
			return RemoveIn(dir, name)
		}
		return err
	}
	sub, err := openFolder(dir, name)
	if err != nil {
		return err
	}
	before := r.err
	r.empty(sub, depth+1)
	unix.Close(sub)
	if err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); r.err == before {
		return err // else it cannot be empty, and why has been said
	}
	return nil
}

func (r *remover) hoist(dir int, name string) error {
	for {
		r.moved++
		err := unix.Renameat2(dir, name, r.top, ".deep-"+strconv.Itoa(r.moved), unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		r.hoisted = r.hoisted || err == nil
		return err
	}
}

// unlink removes what is no folder, or an empty one. It reports whether nothing is
// there any more.
func unlink(dir int, name string) (gone bool, err error) {
	err = unix.Unlinkat(dir, name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return true, nil
	}
	if !errors.Is(err, unix.EISDIR) {
		return false, err
	}
	err = unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
	switch {
	case err == nil || errors.Is(err, unix.ENOENT):
		return true, nil
	case errors.Is(err, unix.ENOTEMPTY), errors.Is(err, unix.EEXIST):
		return false, nil
	}
	return false, err
}
