package archive

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
)

// summer adds up entries: all that is restored of them, whatever the tar around
// it looks like.
type summer struct{ h hash.Hash }

func newSummer() summer { return summer{sha256.New()} }

// add adds an entry; content is the sha256 of what is in a file.
func (s summer) add(hdr *tar.Header, content []byte) {
	fmt.Fprintf(s.h, "%q %c %o %d:%d %d %d.%d %q", strings.TrimSuffix(hdr.Name, "/"), hdr.Typeflag, hdr.Mode, hdr.Uid, hdr.Gid,
		hdr.Size, hdr.ModTime.Unix(), hdr.ModTime.Nanosecond(), hdr.Linkname)
	attrs := xattrs(hdr)
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		fmt.Fprintf(s.h, " %q=%x", name, attrs[name])
	}
	fmt.Fprintf(s.h, " %x\n", content)
}

func (s summer) text() string { return fmt.Sprintf("%x\n", s.h.Sum(nil)) }

// xattrPrefix begins the keys of PAX records that are extended attributes, as for
// other tars.
const xattrPrefix = "SCHILY.xattr."

// xattrs returns the extended attributes of an entry.
func xattrs(hdr *tar.Header) map[string]string {
	attrs := map[string]string{}
	for k, v := range hdr.PAXRecords {
		if name, ok := strings.CutPrefix(k, xattrPrefix); ok {
			attrs[name] = v
		}
	}
	return attrs
}
