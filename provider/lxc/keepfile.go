package lxc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// overlayAttrs begins the names of overlayfs's own attributes. A user's overlay
// has others than the host's root's (overlayfs.rst, "userxattr").
func (p *lxcProvider) overlayAttrs() string {
	if _, root := p.mode.(rootMode); root {
		return "trusted.overlay."
	}
	return "user.overlay."
}

// copy copies what is not a folder into the layer.
func (k *keeper) copy(u int, name string, st *unix.Stat_t, o *outDir) error {
	if err := o.make(); err != nil {
		return err
	}
	if done, err := k.linkTo(o, name, st); done || err != nil {
		return err
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		err = k.copyFile(u, name, st, o)
	case unix.S_IFLNK:
		err = k.copyLink(u, name, o)
	default: // sockets, FIFOs, devices
		err = unix.Mknodat(o.fd, name, st.Mode&^uint32(0o7777)|0o600, int(st.Rdev))
	}
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		if err := k.attributesOf(u, name, o.fd, name, st); err != nil {
			return err
		}
	}
	k.size += st.Blocks * 512
	if st.Nlink > 1 {
		k.links.copied[linkKeyOf(st)] = joinPath(o.path, name)
	}
	return nil
}

func (k *keeper) copyLink(u int, name string, o *outDir) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(u, name, buf)
	if errors.Is(err, unix.EINVAL) {
		return errChanged
	}
	if err != nil {
		return err
	}
	return unix.Symlinkat(string(buf[:n]), o.fd, name)
}

func (k *keeper) copyFile(u int, name string, st *unix.Stat_t, o *outDir) error {
	// A FIFO that took its place would keep the opener waiting.
	src, err := unix.Openat(u, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOATIME|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		return errChanged
	}
	if err != nil {
		return err
	}
	defer unix.Close(src)
	var opened unix.Stat_t
	if err := unix.Fstat(src, &opened); err != nil {
		return err
	}
	if opened.Ino != st.Ino || opened.Mode&unix.S_IFMT != unix.S_IFREG {
		return errChanged
	}
	dst, err := unix.Openat(o.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer unix.Close(dst)
	if !k.whole && shared[joinPath(o.path, name)] && st.Size <= maxEdited {
		err = copyStripped(dst, src)
	} else {
		err = k.copyData(dst, src, st)
	}
	if err != nil {
		return err
	}
	return k.attributesOf(u, name, o.fd, name, &opened)
}

// copyStripped copies a text without what Berth has written into it.
func copyStripped(dst, src int) error {
	// As files of package os they would close the descriptors.
	buf := make([]byte, maxEdited)
	n := 0
	for n < len(buf) {
		m, err := unix.Pread(src, buf[n:], int64(n))
		if err != nil {
			return err
		}
		if m == 0 {
			break
		}
		n += m
	}
	text, _ := replaceBlock(string(buf[:n]), "")
	for b := []byte(text); len(b) > 0; {
		m, err := unix.Write(dst, b)
		if err != nil {
			return err
		}
		b = b[m:]
	}
	return nil
}

// copyData copies a file's content: by reference where the filesystem can, else
// within the kernel, leaving holes as they are.
func (k *keeper) copyData(dst, src int, st *unix.Stat_t) error {
	if st.Size == 0 {
		return nil
	}
	if !k.noClone {
		if unix.IoctlFileClone(dst, src) == nil {
			return nil
		}
		k.noClone = true
	}
	if st.Blocks*512 >= st.Size { // no holes worth the looking
		return copyRange(dst, src, 0, st.Size)
	}
	for at := int64(0); at < st.Size; {
		data, err := unix.Seek(src, at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err != nil {
			return err
		}
		hole, err := unix.Seek(src, data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if err := copyRange(dst, src, data, hole-data); err != nil {
			return err
		}
		at = hole
	}
	return unix.Ftruncate(dst, st.Size)
}

// copyRange copies a part of a file. One that has become shorter is copied as
// far as it goes: it is looked at again.
func copyRange(dst, src int, at, length int64) error {
	from, to := at, at
	for length > 0 {
		n, err := unix.CopyFileRange(src, &from, dst, &to, int(min(length, 1<<30)), 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EXDEV), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
			return copySlowly(dst, src, from, length)
		case err != nil:
			return err
		case n == 0:
			return nil
		}
		length -= int64(n)
	}
	return nil
}

// copySlowly is for filesystems between which the kernel does not copy.
func copySlowly(dst, src int, at, length int64) error {
	buf := make([]byte, min(length, 1<<20))
	for length > 0 {
		n, err := unix.Pread(src, buf[:min(length, int64(len(buf)))], at)
		if err != nil || n == 0 {
			return err
		}
		for part := buf[:n]; len(part) > 0; {
			m, err := unix.Pwrite(dst, part, at)
			if err != nil {
				return err
			}
			part = part[m:]
			at, length = at+int64(m), length-int64(m)
		}
	}
	return nil
}

// attributes gives a folder of the layer what that of the box has.
func (k *keeper) attributes(u int, o *outDir, st *unix.Stat_t) error {
	if err := k.attributesOf(u, ".", o.fd, ".", st); err != nil {
		return fmt.Errorf("keep /%s: %w", o.path, err)
	}
	if !o.opaque {
		return nil
	}
	if err := unix.Fsetxattr(o.fd, k.attrs+"opaque", []byte("y"), 0); err != nil {
		return fmt.Errorf("hide what is beneath /%s: %w", o.path, err)
	}
	return nil
}

// attributesOf gives dst, in the folder to, the owner, extended attributes, mode
// and times of src in from. The order is that in which none takes another away:
// a new owner drops capabilities and set-id bits.
func (k *keeper) attributesOf(from int, src string, to int, dst string, st *unix.Stat_t) error {
	if err := unix.Fchownat(to, dst, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set the owner: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Fchmodat(to, dst, st.Mode&0o7777, 0); err != nil {
			return fmt.Errorf("set the mode: %w", err)
		}
	}
	if err := k.copyXattrs(procPath(from, src), procPath(to, dst)); err != nil {
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
func (k *keeper) copyXattrs(src, dst string) error {
	if k.buf == nil {
		k.buf = make([]byte, 2*64<<10) // XATTR_LIST_MAX and XATTR_SIZE_MAX, xattr(7)
	}
	list, value := k.buf[:64<<10], k.buf[64<<10:]
	n, err := unix.Llistxattr(src, list)
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		if own, ok := strings.CutPrefix(name, k.attrs); ok && !strings.HasPrefix(own, "overlay.") {
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
func (k *keeper) hasOverlay(dir int, name, attr string) (bool, error) {
	_, err := unix.Lgetxattr(procPath(dir, name), k.attrs+attr, make([]byte, 8))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP):
		return false, nil
	}
	return false, err
}
