package lxc

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/layer"
)

// maxEdited is more than a file that Berth edits in a box can need.
const maxEdited = layer.MaxEdited

// editInBox changes a file of a running box, atomically for those who read it
// there. pid is the box's first process and idBase the host id of its root.
//
// The box's root may do anything with its files meanwhile, so all is done as
// that root, with no more rights than it has itself, and no path leads out of
// the box.
func editInBox(pid int, idBase uint32, dir, name string, edit func(string) (string, bool)) error {
	root, err := boxRoot(pid, idBase)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	return onOwnThread(func() error {
		// Leaving fsuid 0 takes the thread's rights over files (capabilities(7)).
		if err := setFSIDs(int(idBase)); err != nil {
			return err
		}
		return editBeneath(root, dir, name, edit)
	})
}

// boxRoot opens the root folder of a box, and makes sure that it is that of the
// box: its pid may be another's by now.
func boxRoot(pid int, idBase uint32) (int, error) {
	proc, err := unix.Open("/proc/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("find its first process: %w", err)
	}
	defer unix.Close(proc) // until then what is opened beneath it is of one process
	fd, err := unix.Openat(proc, "uid_map", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("find its user namespace: %w", err)
	}
	f := os.NewFile(uintptr(fd), "uid_map")
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return -1, fmt.Errorf("find its user namespace: %w", err)
	}
	if fields := strings.Fields(string(b)); len(fields) < 2 || fields[0] != "0" || fields[1] != strconv.Itoa(int(idBase)) {
		return -1, fmt.Errorf("process %d is not of this box", pid)
	}
	root, err := unix.Openat(proc, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open its root folder: %w", err)
	}
	return root, nil
}

// editBeneath replaces a file in a folder beneath root with what edit makes of it.
func editBeneath(root int, dir, name string, edit func(string) (string, bool)) error {
	folder, err := openBeneath(root, dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(folder)
	text, mode, err := readRegular(folder, name)
	if err != nil {
		return err
	}
	text, changed := edit(text)
	if !changed {
		return nil
	}
	temp := name + ".berth-" + rand.Text()
	fd, err := unix.Openat(folder, temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return &fs.PathError{Op: "create", Path: temp, Err: err}
	}
	f := os.NewFile(uintptr(fd), temp)
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(os.FileMode(mode)), f.Close()) // whatever the umask is
	if err == nil {
		err = unix.Renameat(folder, temp, folder, name)
	}
	if err != nil {
		_ = unix.Unlinkat(folder, temp, 0) // err says more
		return fmt.Errorf("replace it: %w", err)
	}
	return nil
}

// readRegular reads a file that is small and regular, and neither a link nor a
// FIFO that would keep the reader waiting. One that is missing is empty.
func readRegular(folder int, name string) (text string, mode uint32, err error) {
	fd, err := openBeneath(folder, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK)
	if errors.Is(err, unix.ENOENT) {
		return "", 0o644, nil
	}
	if errors.Is(err, unix.ELOOP) {
		return "", 0, errors.New("it is a link, so it is left alone")
	}
	if err != nil {
		return "", 0, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxEdited {
		return "", 0, errors.New("it is no regular file of up to 1 MiB, so it is left alone")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxEdited))
	return string(b), uint32(st.Mode().Perm()), err
}

// openBeneath opens a path as a process whose root folder is dir would
// (openat2(2)).
func openBeneath(dir int, path string, flags uint64) (int, error) {
	var fd int
	var err error
	for range 100 { // a box that renames all the time does not keep us
		fd, err = unix.Openat2(dir, path, &unix.OpenHow{
			Flags:   flags | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
		})
		if err == nil {
			return fd, nil
		}
		if err != unix.EINTR && err != unix.EAGAIN { // EAGAIN: something was renamed meanwhile
			break
		}
	}
	return -1, &fs.PathError{Op: "open", Path: path, Err: err}
}
