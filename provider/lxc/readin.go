package lxc

import (
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// What a box or an image has by a name can be anything, and a FIFO keeps whoever
// opens it waiting for ever. So nothing of theirs is opened but by these.

// readDirIn returns what is in a folder beneath root.
func readDirIn(root *os.Root, dir string) ([]fs.DirEntry, error) {
	f, err := openDirIn(root, dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

func openDirIn(root *os.Root, dir string) (*os.File, error) {
	return root.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
}

// readFileIn returns a regular file beneath root that has at most so many bytes.
func readFileIn(root *os.Root, name string, most int64) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > most {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("it is no regular file of at most %d bytes", most)}
	}
	return io.ReadAll(io.LimitReader(f, most))
}
