// Package hostpath goes to files of the host by names, for programs that may be
// root's, while a box can change what is on the way.
package hostpath

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may have, as for the kernel
// (path_resolution(7)).
const maxLinks = 40

// LinkError is a symbolic link on the way that is not followed.
type LinkError struct{ Path string }

func (e *LinkError) Error() string {
	return fmt.Sprintf("%s is a symbolic link, and those that do not belong to root are not followed, since a box could have made them: "+
		"write the path that it leads to", e.Path)
}

// walker goes to a file part by part, so that what has been looked at is what is
// used.
type walker struct {
	at     int    // the folder that is reached (O_PATH)
	walked string // its name
	rest   []string
	links  int
}

// Open opens a file or folder by name for nothing but being where it is (O_PATH,
// open(2)). Symbolic links are followed only if they belong to root: a box writes to
// the folders that it has, and its own root is not the host's. Others are a
// *LinkError.
func Open(path string) (fd int, err error) {
	w := &walker{rest: Parts(path)}
	if err := w.top(); err != nil {
		return -1, err
	}
	for len(w.rest) > 0 {
		if err := w.step(); err != nil {
			unix.Close(w.at)
			return -1, err
		}
	}
	return w.at, nil
}

// top goes to the root folder.
func (w *walker) top() (err error) {
	w.walked = "/"
	if w.at, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return &os.PathError{Op: "open", Path: "/", Err: err}
	}
	return nil
}

// step goes one part further, or follows a link.
func (w *walker) step() error {
	here := filepath.Join(w.walked, w.rest[0])
	next, err := unix.Openat(w.at, w.rest[0], unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: here, Err: err}
	}
	w.rest = w.rest[1:]
	var st unix.Stat_t
	if err := unix.Fstat(next, &st); err != nil {
		unix.Close(next)
		return &os.PathError{Op: "look at", Path: here, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		unix.Close(w.at)
		w.at, w.walked = next, here
		return nil
	}
	defer unix.Close(next)
	return w.follow(next, here, st.Uid)
}

// follow puts what a link leads to before the rest of the way.
func (w *walker) follow(link int, here string, owner uint32) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(link, "", buf)
	if err == nil && w.links == maxLinks {
		err = unix.ELOOP
	}
	if err != nil {
		return &os.PathError{Op: "follow", Path: here, Err: err}
	}
	if owner != 0 {
		return &LinkError{here}
	}
	w.links++
	target := string(buf[:n])
	w.rest = append(Parts(target), w.rest...)
	if !filepath.IsAbs(target) {
		return nil
	}
	old := w.at
	if err := w.top(); err != nil {
		w.at = old // for who closes it
		return err
	}
	unix.Close(old)
	return nil
}

// Parts takes a path apart. ".." stays: it is the kernel's to resolve.
func Parts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}
