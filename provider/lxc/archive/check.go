package archive

import (
	"archive/tar"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// maxID is the highest id that a file of a box can have.
const maxID = 65535

// Limits of Linux for names.
const (
	maxPath = 4095
	maxName = 255
)

// checkEntry says what is wrong with an entry; nil: nothing.
func checkEntry(hdr *tar.Header) error {
	if err := checkType(hdr); err != nil {
		return err
	}
	if hdr.Uid < 0 || hdr.Uid > maxID || hdr.Gid < 0 || hdr.Gid > maxID {
		return fmt.Errorf("it belongs to %d:%d, and a box's ids are 0 to %d", hdr.Uid, hdr.Gid, maxID)
	}
	if hdr.Mode < 0 || hdr.Mode > 0o7777 {
		return fmt.Errorf("it has the mode %o", hdr.Mode)
	}
	if hdr.Size < 0 || hdr.Size > 0 && hdr.Typeflag != tar.TypeReg {
		return fmt.Errorf("it has a size of %d bytes", hdr.Size)
	}
	for k := range hdr.PAXRecords {
		if !strings.HasPrefix(k, xattrPrefix) && !slices.Contains(paxKeys, k) {
			return fmt.Errorf("it has a record %q, which berth package does not write", k)
		}
	}
	for name, value := range xattrs(hdr) {
		if err := checkXattr(name, value); err != nil {
			return err
		}
	}
	return nil
}

// paxKeys are the PAX records that an entry can have beside attributes. Those of
// sparse files are not among them: they make much of little.
var paxKeys = []string{"path", "linkpath", "mtime", "uid", "gid", "size"}

func checkType(hdr *tar.Header) error {
	switch hdr.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeFifo:
		if hdr.Linkname != "" {
			return errors.New("it leads elsewhere, and is no link")
		}
		return nil
	case tar.TypeSymlink:
		// Where it leads to is the box's affair: nothing follows it here.
		if hdr.Linkname == "" || len(hdr.Linkname) > maxPath || strings.ContainsRune(hdr.Linkname, 0) {
			return errors.New("it is a link to nowhere")
		}
		return nil
	case tar.TypeLink:
		if _, err := inTree(hdr.Linkname); err != nil {
			return fmt.Errorf("it is a hard link to %q: %w", hdr.Linkname, err)
		}
		return nil
	case tar.TypeChar, tar.TypeBlock:
		return errors.New("it is a device, which no box may bring")
	}
	return fmt.Errorf("it is of a type %q that berth package does not write", hdr.Typeflag)
}

// inTree returns the path of an entry beneath the root of the files, "." for
// that itself.
func inTree(name string) (string, error) {
	if name == treeName || name == treeName+"/" {
		return ".", nil
	}
	rel, ok := strings.CutPrefix(name, treeName+"/")
	rel = strings.TrimSuffix(rel, "/")
	switch {
	case !ok || rel == "":
		return "", errors.New("it is not one of the box's files")
	case len(rel) > maxPath:
		return "", errors.New("its name is too long")
	case path.Clean(rel) != rel || strings.HasPrefix(rel, "../") || rel == ".." || strings.ContainsRune(rel, 0):
		return "", errors.New("its name leads elsewhere")
	}
	for part := range strings.SplitSeq(rel, "/") {
		if len(part) > maxName {
			return "", errors.New("its name is too long")
		}
	}
	return rel, nil
}

// carried reports whether an extended attribute goes into an archive: what
// programs have put there, and what the kernel goes by in a box. Attributes of
// overlayfs would have it look elsewhere.
func carried(name string) bool {
	switch name {
	case "security.capability", "system.posix_acl_access", "system.posix_acl_default":
		return true
	}
	return strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.overlay.") && !strings.ContainsAny(name, "=\x00") && len(name) <= maxName
}

func checkXattr(name, value string) error {
	const maxValue = 64 << 10 // XATTR_SIZE_MAX, xattr(7)
	switch {
	case !carried(name):
		return fmt.Errorf("it has the extended attribute %q, which no box may bring", name)
	case len(value) > maxValue:
		return fmt.Errorf("its extended attribute %q is too long", name)
	case strings.HasPrefix(name, "system.posix_acl_"):
		return checkACL(name, value)
	case name == "security.capability":
		// Revision 2 (capabilities(7)): it names no root of elsewhere.
		if len(value) != 20 || binary.LittleEndian.Uint32([]byte(value))>>24 != 2 {
			return errors.New("its capabilities are not of revision 2")
		}
	}
	return nil
}

// checkACL checks the ids in an access control list (posix_acl_xattr.h).
func checkACL(name, value string) error {
	const user, group = 2, 8
	b := []byte(value)
	if len(b) < 4 || len(b)%8 != 4 || binary.LittleEndian.Uint32(b) != 2 {
		return fmt.Errorf("its extended attribute %q is no access control list", name)
	}
	for e := b[4:]; len(e) > 0; e = e[8:] {
		tag, id := binary.LittleEndian.Uint16(e), binary.LittleEndian.Uint32(e[4:])
		if (tag == user || tag == group) && id > maxID {
			return fmt.Errorf("its access control list names the id %d, and a box's are 0 to %d", id, maxID)
		}
	}
	return nil
}
