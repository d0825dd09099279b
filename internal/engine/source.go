package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/berth-dev/berth/config"
)

// openCopy opens a folder that is about to be copied, once: what was checked is
// what rsync reads, which does so with the rights of who runs berth. A box that
// has the project's folder could have put a link in its place, to anything that
// root can read: within the project none leads out of it, and elsewhere none is
// followed.
func (e *Engine) openCopy(f config.Folder) (*os.File, error) {
	path, project := e.folderPath(f.Source), realPath(e.Envfile.Root)
	dir, err := openWithin(project, path)
	if err != nil {
		return nil, err
	}
	if err := e.checkCopy(dir, f, path, project); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

func openWithin(project, path string) (*os.File, error) {
	if !within(path, project) {
		return os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	}
	root, err := os.OpenRoot(project)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	rel, err := filepath.Rel(project, path)
	if err != nil {
		return nil, err
	}
	dir, err := root.OpenFile(rel, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s without a link that leads out of the project: %w", path, err)
	}
	return dir, nil
}

// checkCopy checks an opened folder by where it really is.
func (e *Engine) checkCopy(dir *os.File, f config.Folder, path, project string) error {
	real, err := os.Readlink(fdPath(dir.Fd()))
	if err != nil {
		return err
	}
	st, err := dir.Stat()
	if err != nil {
		return err
	}
	switch inside := within(real, project); {
	case inside != within(path, project), !inside && real != path:
		return fmt.Errorf("%s leads to %s by a symbolic link, which is not followed: name the folder itself", path, real)
	case !inside && ownerOf(st) == 0:
		return fmt.Errorf("%s belongs to root and is not in the project, and a copy would take what only root may read", path)
	}
	return e.checkReal(real, st, f)
}

// fdPath names a file by its descriptor in the process that opens the name
// (proc(5)).
func fdPath(fd uintptr) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }
