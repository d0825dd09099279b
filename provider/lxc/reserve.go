package lxc

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// A disk of limited size has room for so many files and no more, empty ones too, and
// unlike the last MiB of its space (hostReserve) ext4 sets none of that aside. So the
// folder reserve, beside upper and out of the box's reach, has files that make room
// for those that a start writes when the box has used up all others.

// reserveFiles is more than what is written until a box can be entered: names,
// addresses, the overlay's own and a boot's.
const reserveFiles = 128

func (o own) reserve() string { return filepath.Join(o.path, "reserve") }

// freeReserve makes room on a disk that has none left for the files of a start.
func (o own) freeReserve() error {
	var st unix.Statfs_t
	if o.mount < 0 {
		return nil
	}
	if err := unix.Fstatfs(o.mount, &st); err != nil {
		return &fs.PathError{Op: "statfs", Path: o.path, Err: err}
	}
	if st.Ffree >= reserveFiles {
		return nil
	}
	return os.RemoveAll(o.reserve())
}

// fillReserve makes the reserve whole, as far as there is room: what is missing the
// next start tries to make again.
func (o own) fillReserve() {
	if o.mount < 0 {
		return
	}
	if err := os.Mkdir(o.reserve(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return
	}
	if have, err := os.ReadDir(o.reserve()); err != nil || len(have) >= reserveFiles {
		return
	}
	for i := range reserveFiles {
		f, err := os.OpenFile(filepath.Join(o.reserve(), strconv.Itoa(i)), os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			return
		}
		f.Close()
	}
}

// full says what to do about a disk that takes no more files.
func (o own) full(err error) error {
	if o.mount < 0 || !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return err
	}
	return errDiskFull(err)
}

func errDiskFull(err error) error {
	return &provider.ArgError{Arg: diskArg, Err: errors.Join(err, errors.New(
		"the box's disk has no room for another file: set a higher limit, or give it the disk of a snapshot (berth snapshot restore)"))}
}
