package state

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Replace writes a file of the user's project at once or not at all, whatever is
// there: a link is replaced, not followed. The file gets the owner of what like
// describes, also when root runs this, and the mode whatever the umask is. name is
// that of a file in the folder root itself.
func Replace(root *os.Root, name string, text []byte, like fs.FileInfo, mode fs.FileMode) (err error) {
	tmp := "." + name + ".new"
	if err := root.RemoveAll(tmp); err != nil { // of a process that was killed
		return err
	}
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = root.Remove(tmp) // the error says enough
			return
		}
		err = root.Rename(tmp, name)
	}()
	if owner, ok := like.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	_, err = f.Write(text)
	return err
}
