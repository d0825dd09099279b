package lxc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may have, as for the kernel
// (path_resolution(7)).
const maxLinks = 40

// openSource opens a folder of the host by name, once, for good: what is checked
// and mounted afterwards is this very folder (O_PATH, open(2)). Symbolic links
// are followed only if they belong to root. Others could be a box's work: it
// writes to the folders that it has, and one of them may hold this one.
func openSource(source string) (*os.File, error) {
	at, err := openDir(unix.AT_FDCWD, "/")
	if err != nil {
		return nil, err
	}
	defer func() { unix.Close(at) }()
	walked, links := "/", 0
	for rest := parts(source); len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		here := filepath.Join(walked, name)
		next, err := unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: here, Err: err}
		}
		var st unix.Stat_t
		if err := unix.Fstat(next, &st); err != nil {
			unix.Close(next)
			return nil, &os.PathError{Op: "look at", Path: here, Err: err}
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			unix.Close(at)
			at, walked = next, here
			continue
		}
		target, err := readLink(next)
		unix.Close(next)
		switch links++; {
		case err != nil:
			return nil, &os.PathError{Op: "read link", Path: here, Err: err}
		case st.Uid != 0:
			return nil, fmt.Errorf("%s is a symbolic link, and those that do not belong to root are not followed: name the folder that it leads to", here)
		case links > maxLinks:
			return nil, &os.PathError{Op: "open", Path: source, Err: unix.ELOOP}
		}
		if filepath.IsAbs(target) {
			unix.Close(at)
			if at, err = openDir(unix.AT_FDCWD, "/"); err != nil {
				return nil, err
			}
			walked = "/"
		}
		rest = append(parts(target), rest...)
	}
	fd, err := openDir(at, ".")
	if errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("%s is not a folder", source)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: source, Err: err}
	}
	return os.NewFile(uintptr(fd), source), nil
}

// parts takes a path apart. ".." stays: it is the kernel's to resolve.
func parts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func openDir(at int, name string) (int, error) {
	return unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

func readLink(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
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
