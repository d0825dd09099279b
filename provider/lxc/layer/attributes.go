package layer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// attributes gives a folder of the layer what that of the box has.
func (l *look) attributes(u int, o *outDir, st *unix.Stat_t) error {
	if err := l.attributesOf(u, ".", o.fd, ".", st); err != nil {
		return fmt.Errorf("keep /%s: %w", o.path, err)
	}
	if !o.opaque {
		return nil
	}
	if err := unix.Fsetxattr(o.fd, l.Attrs+"opaque", []byte("y"), 0); err != nil {
		return fmt.Errorf("hide what is beneath /%s: %w", o.path, err)
	}
	return nil
}

// attributesOf gives dst, in the folder to, the owner, extended attributes, mode
// and times of src in from. The order is that in which none takes another away:
// a new owner drops capabilities and set-id bits.
func (l *look) attributesOf(from int, src string, to int, dst string, st *unix.Stat_t) error {
	if err := unix.Fchownat(to, dst, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set the owner: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Fchmodat(to, dst, st.Mode&0o7777, 0); err != nil {
			return fmt.Errorf("set the mode: %w", err)
		}
	}
	if err := l.copyXattrs(procPath(from, src), procPath(to, dst)); err != nil {
		return err
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	if err := unix.UtimesNanoAt(to, dst, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set the times: %w", err)
	}
	return nil
}

// procPath names a file in an open folder for calls that take paths alone.
func procPath(dir int, name string) string {
	return "/proc/self/fd/" + strconv.Itoa(dir) + "/" + name
}

// copyXattrs copies extended attributes, ACLs and capabilities among them. Those
// of overlayfs describe a file's place in its stack of layers, and stay behind;
// those of an overlay in the box are escaped, and part of its files.
func (l *look) copyXattrs(src, dst string) error {
	if l.buf == nil {
		l.buf = make([]byte, 2*64<<10) // XATTR_LIST_MAX and XATTR_SIZE_MAX, xattr(7)
	}
	list, value := l.buf[:64<<10], l.buf[64<<10:]
	n, err := unix.Llistxattr(src, list)
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		if own, ok := strings.CutPrefix(name, l.Attrs); ok && !strings.HasPrefix(own, "overlay.") {
			if own == "redirect" || own == "metacopy" {
				return fmt.Errorf("its content is elsewhere in the overlay (%s), which Berth does not set up: restart the box", name)
			}
			continue
		}
		n, err := unix.Lgetxattr(src, name, value)
		if errors.Is(err, unix.ENODATA) {
			continue // removed since
		}
		if err == nil {
			err = unix.Lsetxattr(dst, name, value[:n], 0)
		}
		if err != nil {
			return fmt.Errorf("copy the extended attribute %s: %w", name, err)
		}
	}
	return nil
}

// hasOverlay reports whether a file has an attribute of overlayfs.
func (l *look) hasOverlay(dir int, name, attr string) (bool, error) {
	_, err := unix.Lgetxattr(procPath(dir, name), l.Attrs+attr, make([]byte, 8))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP):
		return false, nil
	}
	return false, err
}

// CopyFolder gives an open folder the owner, mode, extended attributes and times of
// another.
func (w *Writer) CopyFolder(from, to *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(from.Fd()), &st); err != nil {
		return err
	}
	l := &look{Writer: w}
	return l.attributesOf(int(from.Fd()), ".", int(to.Fd()), ".", &st)
}
