package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/deep"
)

// defaultACL is the attribute of a folder that what is made in it inherits.
const defaultACL = "system.posix_acl_default"

// maxACLs is how many bytes of such lists, of those that differ, an archive may
// have: they are kept in memory.
const maxACLs = 4 << 20

// folders are what folders get last, when all is in them: an owner and a mode that
// can keep others out, a time that each file in them changes, and what files in
// them would inherit. An archive can have millions, so little is kept of each, and no
// name: they are found again by their numbers.
type folders struct {
	byNumber map[uint64]folder
	acls     []string // that differ
	aclSize  int
	aclIndex map[string]int32
}

// folder is one. Ids and modes are checked to be no larger.
type folder struct {
	sec            int64
	nsec           int32
	acl            int32 // the default one's place, from 1; 0: none
	uid, gid, mode uint16
}

// add notes a folder, and gives it those attributes that can come at once.
func (f *folders) add(at int, base string, hdr *tar.Header) error {
	var st unix.Stat_t
	if err := unix.Fstatat(at, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	attrs := xattrs(hdr)
	acl, err := f.acl(attrs[defaultACL])
	if err != nil {
		return err
	}
	if f.byNumber == nil {
		f.byNumber = map[uint64]folder{}
	}
	f.byNumber[st.Ino] = folder{sec: hdr.ModTime.Unix(), nsec: int32(hdr.ModTime.Nanosecond()), acl: acl,
		uid: uint16(hdr.Uid), gid: uint16(hdr.Gid), mode: uint16(hdr.Mode)}
	delete(attrs, defaultACL)
	return setXattrs(at, base, attrs)
}

// acl keeps a list, once.
func (f *folders) acl(list string) (int32, error) {
	if list == "" {
		return 0, nil
	}
	if at, ok := f.aclIndex[list]; ok {
		return at, nil
	}
	if f.aclSize += len(list); f.aclSize > maxACLs {
		return 0, fmt.Errorf("%w: its folders have more than %d bytes of default access control lists", ErrArchive, maxACLs)
	}
	if f.aclIndex == nil {
		f.aclIndex = map[string]int32{}
	}
	f.acls = append(f.acls, list)
	at := int32(len(f.acls))
	f.aclIndex[list] = at
	return at, nil
}

// finish gives all folders beneath root, and it, what is still to come, the
// innermost first.
func (f *folders) finish(root *os.File) error {
	w := deep.Walk{
		Visit: func(dir int, name string) (bool, error) {
			var st unix.Stat_t
			err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
			return st.Mode&unix.S_IFMT == unix.S_IFDIR, err
		},
		Leave: f.dress,
	}
	if err := w.In(int(root.Fd())); err != nil {
		return err
	}
	return f.dress(int(root.Fd()), ".")
}

func (f *folders) dress(at int, base string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(at, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &placeError{base, err}
	}
	d, ok := f.byNumber[st.Ino]
	if !ok {
		return &placeError{base, errors.New("somebody else has made a folder of this name meanwhile")}
	}
	attrs := map[string]string{}
	if d.acl > 0 {
		attrs[defaultACL] = f.acls[d.acl-1]
	}
	l := look{uid: int(d.uid), gid: int(d.gid), mode: uint32(d.mode), attrs: attrs, time: unix.Timespec{Sec: d.sec, Nsec: int64(d.nsec)}}
	if err := l.dress(at, base); err != nil {
		return &placeError{base, err}
	}
	return nil
}
