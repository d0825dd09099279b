package lxc

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/deep"
)

// removeIn is root.RemoveAll for what a box's root has made, which can be deeper
// than that gets.
func removeIn(root *os.Root, name string) error {
	dir, err := root.OpenFile(path.Dir(name), os.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return deep.RemoveIn(int(dir.Fd()), path.Base(name))
}
