package engine

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/config"
)

// protectedFact begins the names of the facts that say which files of its
// folders a box was kept from writing when it started.
//
// A provider protects a file by a mount over it. The kernel takes that away, in
// every box, when the file is renamed over or removed on the host, as git and
// some editors do (unlink and rename detach what is mounted on the old name).
// Nor can it be put back into a running box for good: Linux locks those mounts
// only that were there when the box's namespace was made, and what is mounted
// or propagated into it later its root can unmount (mount_namespaces(7)). So
// the user is told.
const protectedFact = "protected "

// standing identifies the files that a box's folders protect, by their places in
// the box. One that does not exist is known as that.
func (e *Engine) standing(b *config.Box) map[string]string {
	files := map[string]string{}
	for _, f := range e.specFolders(b) {
		if f.ReadOnly {
			continue
		}
		for _, name := range f.Protect {
			files[protectedFact+path.Join(f.Target, name)] = identity(filepath.Join(f.Source, name))
		}
	}
	return files
}

// identity tells a file from any other that has its name later. Filesystems give
// the numbers of removed files to new ones, so the time when it was made belongs
// to it.
func identity(file string) string {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, file, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_INO|unix.STATX_BTIME, &st); err != nil {
		return "none"
	}
	return fmt.Sprint(st.Dev_major, ":", st.Dev_minor, " ", st.Ino, " ", st.Btime.Sec, ".", st.Btime.Nsec)
}

// exposed takes the protected files out of names of facts that have changed.
func exposed(changed []string) (files, others []string) {
	for _, name := range changed {
		if file, ok := strings.CutPrefix(name, protectedFact); ok {
			files = append(files, file)
		} else {
			others = append(others, name)
		}
	}
	return files, others
}
