package archive

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// Filter says of a path beneath the root what is not written.
type Filter func(rel string) (leaveOut, empty bool)

// Write writes the tree root, which must not change meanwhile. Sockets and devices
// are left out: who has them makes them anew.
func Write(ctx context.Context, to io.Writer, root string, meta Meta, filter Filter) error {
	sealed := newSealer(to)
	z, err := zstd.NewWriter(sealed, zstd.WithEncoderConcurrency(2))
	if err != nil {
		return err
	}
	w := &writer{tar: tar.NewWriter(z), sum: newSummer(), links: map[[2]uint64]string{}, root: root, filter: filter,
		buf: make([]byte, 2*64<<10)} // XATTR_LIST_MAX and XATTR_SIZE_MAX, xattr(7)
	meta.Format = Format
	err = w.all(ctx, meta)
	if err == nil {
		err = w.tar.Close()
	}
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	return sealed.seal()
}

// maxAttributes is less than archive/tar reads of one file.
const maxAttributes = 900 << 10

type writer struct {
	tar    *tar.Writer
	sum    summer
	root   string
	filter Filter
	links  map[[2]uint64]string // device and number of files with several names -> the first
	buf    []byte
}

func (w *writer) all(ctx context.Context, meta Meta) error {
	text, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	if err := w.text(metaName, string(text)); err != nil {
		return err
	}
	err = filepath.WalkDir(w.root, func(path string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(w.root, path)
		if err != nil {
			return err
		}
		leaveOut, empty := w.filter(rel)
		if leaveOut && e.IsDir() {
			return filepath.SkipDir
		}
		if leaveOut {
			return nil
		}
		if err := w.file(path, rel, empty); err != nil {
			return fmt.Errorf("write /%s: %w", rel, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.text(sumName, w.sum.text())
}

// text writes an entry of our own.
func (w *writer) text(name, text string) error {
	hdr := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text)), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(hdr); err != nil {
		return err
	}
	content := sha256.Sum256([]byte(text))
	w.sum.add(hdr, content[:])
	_, err := io.WriteString(w.tar, text)
	return err
}

func (w *writer) file(path, rel string, empty bool) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return err
	}
	hdr := &tar.Header{
		Name: treeName + "/" + rel, Mode: int64(st.Mode & 0o7777), Uid: int(st.Uid), Gid: int(st.Gid),
		ModTime: time.Unix(st.Mtim.Unix()), Format: tar.FormatPAX,
	}
	if rel == "." {
		hdr.Name = treeName
	}
	if known, err := w.kind(hdr, path, &st); err != nil || !known {
		return err
	}
	if empty {
		hdr.Size = 0
	}
	if err := w.attributes(hdr, path); err != nil {
		return err
	}
	if err := checkEntry(hdr); err != nil {
		return err // it would not be taken back
	}
	if err := w.tar.WriteHeader(hdr); err != nil {
		return err
	}
	var content []byte
	if hdr.Typeflag == tar.TypeReg {
		sum, err := w.content(path, hdr.Size)
		if err != nil {
			return err
		}
		content = sum
	}
	w.sum.add(hdr, content)
	return nil
}

// kind fills in what an entry is. It is not known of sockets and devices.
func (w *writer) kind(hdr *tar.Header, path string, st *unix.Stat_t) (known bool, err error) {
	mode := st.Mode & unix.S_IFMT
	key := [2]uint64{uint64(st.Dev), st.Ino}
	if first, ok := w.links[key]; ok && st.Nlink > 1 && mode != unix.S_IFDIR {
		hdr.Typeflag, hdr.Linkname = tar.TypeLink, first
		return true, nil
	}
	switch mode {
	case unix.S_IFREG:
		hdr.Typeflag, hdr.Size = tar.TypeReg, st.Size
	case unix.S_IFDIR:
		hdr.Typeflag = tar.TypeDir
		hdr.Name += "/"
	case unix.S_IFLNK:
		hdr.Typeflag = tar.TypeSymlink
		hdr.Linkname, err = os.Readlink(path)
	case unix.S_IFIFO:
		hdr.Typeflag = tar.TypeFifo
	default:
		return false, nil
	}
	if st.Nlink > 1 && mode != unix.S_IFDIR {
		w.links[key] = hdr.Name
	}
	return true, err
}

// attributes adds the extended attributes that go into an archive.
func (w *writer) attributes(hdr *tar.Header, path string) error {
	if hdr.Typeflag == tar.TypeLink {
		return nil
	}
	list, value := w.buf[:64<<10], w.buf[64<<10:]
	n, err := unix.Llistxattr(path, list)
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	all := 0
	for _, name := range strings.Split(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		if !carried(name) {
			continue
		}
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return fmt.Errorf("read the extended attribute %s: %w", name, err)
		}
		if hdr.PAXRecords == nil {
			hdr.PAXRecords = map[string]string{}
		}
		hdr.PAXRecords[xattrPrefix+name] = string(value[:n])
		all += len(name) + n
	}
	if all > maxAttributes {
		return fmt.Errorf("its extended attributes are %d bytes, and an archive takes %d", all, maxAttributes)
	}
	return nil
}

func (w *writer) content(path string, size int64) ([]byte, error) {
	h := sha256.New()
	if size > 0 {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if _, err := io.CopyN(io.MultiWriter(w.tar, h), f, size); err != nil {
			return nil, err
		}
	}
	return h.Sum(nil), nil
}
