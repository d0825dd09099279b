package layer

import (
	"errors"

	"golang.org/x/sys/unix"
)

// copy copies what is not a folder into the layer.
func (l *look) copy(u int, name string, st *unix.Stat_t, o *outDir) error {
	if err := o.make(); err != nil {
		return err
	}
	if done, err := l.linkTo(o, name, st); done || err != nil {
		return err
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		err = l.copyFile(u, name, st, o)
	case unix.S_IFLNK:
		err = l.copyLink(u, name, o)
	default: // sockets, FIFOs, devices
		err = unix.Mknodat(o.fd, name, st.Mode&^uint32(0o7777)|0o600, int(st.Rdev))
	}
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		if err := l.attributesOf(u, name, o.fd, name, st); err != nil {
			return err
		}
	}
	l.Size += st.Blocks * 512
	if st.Nlink > 1 {
		l.links.copied[linkKeyOf(st)] = joinPath(o.path, name)
	}
	return nil
}

func (l *look) copyLink(u int, name string, o *outDir) error {
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

func (l *look) copyFile(u int, name string, st *unix.Stat_t, o *outDir) error {
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
	if edit := l.Edit[joinPath(o.path, name)]; edit != nil && st.Size <= MaxEdited {
		err = copyEdited(dst, src, edit)
	} else {
		err = l.copyData(dst, src, st)
	}
	if err != nil {
		return err
	}
	return l.attributesOf(u, name, o.fd, name, &opened)
}

// MaxEdited is the size, in bytes, from which on a file is no text to be edited.
const MaxEdited = 1 << 20

// copyEdited copies what edit makes of a text.
func copyEdited(dst, src int, edit func(string) string) error {
	// As files of package os they would close the descriptors.
	buf := make([]byte, MaxEdited)
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
	for b := []byte(edit(string(buf[:n]))); len(b) > 0; {
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
func (l *look) copyData(dst, src int, st *unix.Stat_t) error {
	if st.Size == 0 {
		return nil
	}
	if !l.noClone {
		if unix.IoctlFileClone(dst, src) == nil {
			return nil
		}
		l.noClone = true
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
