package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSocketDir is the longest usable path of a folder for sockets. A socket's
// path has at most 107 bytes (sun_path, unix(7)), and go-plugin appends
// "/plugin-dir" and "/plugin", each with up to ten digits.
const maxSocketDir = 107 - len("/plugin-dir0123456789") - len("/plugin0123456789")

// socketDir is the folder for the sockets of one host. The host holds a lock on
// it, by which others see whether it is still in use.
type socketDir struct {
	path string
	lock *os.File
}

// newSocketDir makes a folder in the first usable place and removes what dead
// hosts have left there.
func newSocketDir(runtimeDir, tmp string) (*socketDir, error) {
	uid := os.Geteuid()
	var roots []string
	if filepath.IsAbs(runtimeDir) && ownedBy(runtimeDir, uid) {
		roots = append(roots, filepath.Join(runtimeDir, "berth"))
	}
	if uid == 0 {
		roots = append(roots, "/run/berth")
	}
	mine := "berth-" + strconv.Itoa(uid)
	roots = append(roots, filepath.Join(tmp, mine), filepath.Join("/tmp", mine))

	var errs []error
	for _, root := range roots {
		d, err := newSocketDirIn(filepath.Join(root, "plugins"), uid)
		if err == nil {
			return d, nil
		}
		errs = append(errs, err)
	}
	// Somebody else has taken our names in the shared folder: take an unknown
	// one, which nobody will sweep should we be killed.
	path, err := os.MkdirTemp(tmp, "berth-")
	if err == nil && len(path) <= maxSocketDir {
		return lockDir(path)
	}
	return nil, fmt.Errorf("make a folder for plugin sockets: %w", errors.Join(append(errs, err)...))
}

// newSocketDirIn makes a folder in parent, itself made if need be.
func newSocketDirIn(parent string, uid int) (*socketDir, error) {
	if len(parent)+len("/0123456789") > maxSocketDir {
		return nil, fmt.Errorf("%s: path too long for a socket", parent)
	}
	root := filepath.Dir(parent)
	for _, dir := range []string{root, parent} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		if !ownedBy(dir, uid) {
			return nil, fmt.Errorf("%s is not a folder of ours", dir)
		}
	}
	if err := os.Chmod(parent, 0o700); err != nil {
		return nil, err
	}
	// One host at a time sweeps and makes its own, so that none takes a folder
	// for dead whose owner has not come to locking it.
	gate, err := os.Open(parent)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	if err := unix.Flock(int(gate.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", parent, err)
	}
	sweep(parent)
	path, err := os.MkdirTemp(parent, "")
	if err != nil {
		return nil, err
	}
	return lockDir(path)
}

func lockDir(path string) (*socketDir, error) {
	lock, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &socketDir{path: path, lock: lock}, nil
}

// sweep removes the folders in parent that no host holds locked. What cannot be
// removed stays: it is in nobody's way.
func sweep(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if d, err := lockDir(filepath.Join(parent, e.Name())); err == nil {
			d.remove()
		}
	}
}

func (d *socketDir) remove() {
	_ = os.RemoveAll(d.path)
	d.lock.Close()
}

// ownedBy reports whether path is a folder, not a link to one, of that user,
// which others may not write to.
func ownedBy(path string, uid int) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == uid
}
