package lxc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/hostpath"
)

// openSource opens a folder of the host by name, once, for good: what is checked
// and mounted afterwards is this very folder (O_PATH, open(2)).
func openSource(source string) (*os.File, error) {
	at, err := hostpath.Open(source)
	if err != nil {
		return nil, err
	}
	defer unix.Close(at)
	fd, err := openDir(at, ".")
	if errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("%s is not a folder", source)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: source, Err: err}
	}
	return os.NewFile(uintptr(fd), source), nil
}

func openDir(at int, name string) (int, error) {
	return unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// systemFolders are never given to a box, nor what is in them.
var systemFolders = []string{"/proc", "/sys", "/dev", "/run", "/boot"}

// checkSource refuses folders that no box may see, whatever they are called:
// real is where an opened one is.
func checkSource(real, dataDir string) error {
	if real == "/" {
		return errors.New("/ is the whole host")
	}
	for _, s := range systemFolders {
		if within(real, s) {
			return fmt.Errorf("%s belongs to the host's system", real)
		}
	}
	if dataDir, err := filepath.EvalSymlinks(dataDir); err == nil && within(real, dataDir) {
		return fmt.Errorf("%s is Berth's own data", real)
	}
	return nil
}

// within reports whether path is dir or in it. Both are clean.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
