package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// place makes files beneath a folder. The kernel resolves each path beneath it,
// through folders alone (openat2(2)), and no name is taken twice: whatever an
// archive says, nothing else is touched.
type place struct {
	root    *os.File
	begun   bool
	folders folders
	// The folder of the entry before: most are beside each other.
	last   string
	lastFD *os.File
}

// placeError is what the filesystem says of an entry.
type placeError struct {
	name string
	err  error
}

func (e *placeError) Error() string { return fmt.Sprintf("make /%s: %v", short(e.name), e.err) }
func (e *placeError) Unwrap() error { return e.err }

// put makes an entry; rel is its path.
func (p *place) put(rel string, hdr *tar.Header, content io.Reader) error {
	if rel == "." {
		if p.begun || hdr.Typeflag != tar.TypeDir {
			return fmt.Errorf("%w: it has two roots, or one that is no folder", ErrArchive)
		}
		p.begun = true
		return p.explain(rel, p.folders.add(int(p.root.Fd()), rel, hdr))
	}
	if !p.begun {
		return fmt.Errorf("%w: it does not begin with the root folder", ErrArchive)
	}
	dir, base := path.Split(rel)
	at, err := p.folder(strings.TrimSuffix(dir, "/"))
	if err == nil {
		err = p.make(at, base, hdr, content)
	}
	return p.explain(rel, err)
}

// explain says of an error with an entry whose it is: the archive's, or the disk's.
func (p *place) explain(rel string, err error) error {
	switch {
	case err == nil, errors.Is(err, ErrArchive):
		return err
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("%w: it has /%s twice", ErrArchive, short(rel))
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV):
		return fmt.Errorf("%w: /%s is not in a folder that it has, or it leads to what it does not have: %w", ErrArchive, short(rel), err)
	}
	if isRead(err) {
		return err
	}
	return &placeError{rel, err}
}

// folder opens a folder that an earlier entry has made.
func (p *place) folder(rel string) (int, error) {
	if p.lastFD != nil && p.last == rel {
		return int(p.lastFD.Fd()), nil
	}
	if rel == "" {
		return int(p.root.Fd()), nil
	}
	how := &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	fd, err := unix.Openat2(int(p.root.Fd()), rel, how)
	if err != nil {
		return -1, err
	}
	p.forget()
	p.last, p.lastFD = rel, os.NewFile(uintptr(fd), rel)
	return fd, nil
}

func (p *place) forget() {
	if p.lastFD != nil {
		p.lastFD.Close()
		p.lastFD = nil
	}
}

func (p *place) make(at int, base string, hdr *tar.Header, content io.Reader) error {
	switch hdr.Typeflag {
	case tar.TypeReg:
		return makeFile(at, base, hdr, content)
	case tar.TypeDir:
		if err := unix.Mkdirat(at, base, 0o700); err != nil {
			return err
		}
		return p.folders.add(at, base, hdr)
	case tar.TypeLink:
		return p.link(at, base, hdr)
	case tar.TypeSymlink:
		if err := unix.Symlinkat(hdr.Linkname, at, base); err != nil {
			return err
		}
	case tar.TypeFifo:
		if err := unix.Mknodat(at, base, unix.S_IFIFO|0o600, 0); err != nil {
			return err
		}
	}
	return lookOf(hdr).dress(at, base)
}

// link makes another name of a file that is there.
func (p *place) link(at int, base string, hdr *tar.Header) error {
	target, err := inTree(hdr.Linkname)
	if err != nil {
		return err
	}
	dir, name := path.Split(target)
	here, err := unix.FcntlInt(uintptr(at), unix.F_DUPFD_CLOEXEC, 0) // the next may close it
	if err != nil {
		return err
	}
	defer unix.Close(here)
	there, err := p.folder(strings.TrimSuffix(dir, "/"))
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(there, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return fmt.Errorf("%w: it has a hard link to the folder /%s", ErrArchive, short(target))
	}
	return unix.Linkat(there, name, here, base, 0)
}

func makeFile(at int, base string, hdr *tar.Header, content io.Reader) error {
	fd, err := unix.Openat(at, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), base)
	defer f.Close()
	if _, err := io.Copy(f, readMarked{content}); err != nil {
		return err
	}
	if err := lookOf(hdr).dress(at, base); err != nil {
		return err
	}
	return f.Close()
}

// readMarked tells errors of reading from those of writing.
type readMarked struct{ r io.Reader }

type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

func (r readMarked) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if err != nil && err != io.EOF {
		err = readError{err}
	}
	return n, err
}

func isRead(err error) bool {
	var r readError
	return errors.As(err, &r)
}

// look is what an entry says of a file beside its content.
type look struct {
	uid, gid int
	mode     uint32
	link     bool // which has no mode
	attrs    map[string]string
	time     unix.Timespec
}

func lookOf(hdr *tar.Header) look {
	return look{uid: hdr.Uid, gid: hdr.Gid, mode: uint32(hdr.Mode), link: hdr.Typeflag == tar.TypeSymlink, attrs: xattrs(hdr),
		time: unix.Timespec{Sec: hdr.ModTime.Unix(), Nsec: int64(hdr.ModTime.Nanosecond())}}
}

// dress gives a file its owner, mode, attributes and times, in the order in which
// none takes another away: a new owner drops capabilities and set-id bits.
func (l look) dress(at int, base string) error {
	if err := unix.Fchownat(at, base, l.uid, l.gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set the owner: %w", err)
	}
	if !l.link {
		if err := unix.Fchmodat(at, base, l.mode, 0); err != nil {
			return fmt.Errorf("set the mode: %w", err)
		}
	}
	if err := setXattrs(at, base, l.attrs); err != nil {
		return err
	}
	if err := unix.UtimesNanoAt(at, base, []unix.Timespec{l.time, l.time}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set the times: %w", err)
	}
	return nil
}

func setXattrs(at int, base string, attrs map[string]string) error {
	path := "/proc/self/fd/" + strconv.Itoa(at) + "/" + base
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		if err := unix.Lsetxattr(path, name, []byte(attrs[name]), 0); err != nil {
			return fmt.Errorf("set the extended attribute %s: %w", name, err)
		}
	}
	return nil
}

// finish gives the folders what comes last.
func (p *place) finish() error {
	p.forget()
	return p.folders.finish(p.root)
}
