package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
)

var made = time.Unix(1_700_000_000, 123_456_789)

// entry is an entry of an archive that is written by hand.
type entry struct {
	hdr     tar.Header
	content string
}

func dirEntry(name string) entry {
	return entry{hdr: tar.Header{Typeflag: tar.TypeDir, Name: treeName + "/" + name, Mode: 0o755}}
}

func fileEntry(name, content string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: treeName + "/" + name, Mode: 0o644}, content}
}

func linkEntry(kind byte, name, target string) entry {
	return entry{hdr: tar.Header{Typeflag: kind, Name: treeName + "/" + name, Linkname: target, Mode: 0o777}}
}

// with changes an entry's header.
func (e entry) with(change func(*tar.Header)) entry { change(&e.hdr); return e }

// attr gives an entry an extended attribute.
func (e entry) attr(name, value string) entry {
	return e.with(func(h *tar.Header) { h.PAXRecords = map[string]string{xattrPrefix + name: value} })
}

const goodMeta = `{"format":1,"arch":"amd64","box":"web"}`

// pack makes an archive of entries with its right sum, so that what is wrong with
// it is in the entries alone.
func pack(t testing.TB, meta string, entries []entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	sum := newSummer()
	put := func(e entry) {
		e.hdr.Format, e.hdr.ModTime = tar.FormatPAX, made
		if e.hdr.Typeflag == tar.TypeReg {
			e.hdr.Size = int64(len(e.content))
		}
		if err := w.WriteHeader(&e.hdr); err != nil {
			t.Fatalf("%s: %v", e.hdr.Name, err)
		}
		var content []byte
		if e.hdr.Typeflag == tar.TypeReg {
			s := sha256.Sum256([]byte(e.content))
			content = s[:]
			if _, err := io.WriteString(w, e.content); err != nil {
				t.Fatal(err)
			}
		}
		sum.add(&e.hdr, content)
	}
	if meta != "" {
		put(entry{tar.Header{Typeflag: tar.TypeReg, Name: metaName, Mode: 0o644}, meta})
	}
	for _, e := range entries {
		if os.Getuid() <= maxID && os.Getuid() != 0 && e.hdr.Uid == 0 { // else who runs this could not make it
			e.hdr.Uid, e.hdr.Gid = os.Getuid(), os.Getgid()
		}
		put(e)
	}
	put(entry{tar.Header{Typeflag: tar.TypeReg, Name: sumName, Mode: 0o644}, sum.text()})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return compress(t, out.Bytes())
}

func compress(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return sealed(t, z.EncodeAll(b, nil))
}

func sealed(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	s := newSealer(&out)
	if _, err := s.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := s.seal(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decompress(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out, err := io.ReadAll(z) // a seal is nothing to it
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// extract reads an archive into a folder in a folder of its own, in which nothing
// else may come into being.
func extract(t testing.TB, packed []byte, limits Limits) (string, error) {
	t.Helper()
	around := t.TempDir()
	dir := filepath.Join(around, "in")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(around, "secret"), []byte("secret"), 0o600)); err != nil {
		t.Fatal(err)
	}
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = Extract(context.Background(), bytes.NewReader(packed), root, limits)
	names, readErr := os.ReadDir(around)
	secret, _ := os.ReadFile(filepath.Join(around, "secret"))
	var st unix.Stat_t
	statErr := unix.Stat(filepath.Join(around, "secret"), &st)
	if readErr != nil || statErr != nil || len(names) != 2 || string(secret) != "secret" || st.Nlink != 1 || st.Mode&0o777 != 0o600 {
		t.Fatalf("something outside has been touched: %v, %q, %d links, mode %o", names, secret, st.Nlink, st.Mode)
	}
	return dir, err
}

func good() []entry {
	return []entry{dirEntry(""), dirEntry("d"), fileEntry("d/a", "text"), linkEntry(tar.TypeLink, "d/b", treeName+"/d/a"), linkEntry(tar.TypeSymlink, "out", "/etc/passwd")}
}

func TestExtractGood(t *testing.T) {
	dir, err := extract(t, pack(t, goodMeta, good()), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "d/b")); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
	if target, err := os.Readlink(filepath.Join(dir, "out")); err != nil || target != "/etc/passwd" {
		t.Errorf("%q, %v", target, err)
	}
}

// acl returns an access control list that names an id.
func acl(id uint32) string {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range [][2]uint32{{1 | 6<<16, ^uint32(0)}, {2 | 6<<16, id}, {4 | 4<<16, ^uint32(0)}, {16 | 6<<16, ^uint32(0)}, {32 | 4<<16, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, e[0]), e[1])
	}
	return string(b)
}

func TestExtractHostile(t *testing.T) {
	deep := strings.Repeat("x/", 2100)
	rows := []struct {
		what    string
		meta    string
		entries []entry
		limits  Limits
		want    string
	}{
		{what: "a path that climbs", entries: append(good(), fileEntry("../x", "")), want: "leads elsewhere"},
		{what: "a path that climbs in the middle", entries: append(good(), fileEntry("d/../../x", "")), want: "leads elsewhere"},
		{what: "an absolute path", entries: append(good(), fileEntry("", "").with(func(h *tar.Header) { h.Name = "/tmp/x" })), want: "not one of the box's files"},
		{what: "a path beside the tree", entries: append(good(), fileEntry("", "").with(func(h *tar.Header) { h.Name = "rootfs-x/a" })), want: "not one of the box's files"},
		{what: "a double slash", entries: append(good(), fileEntry("d//x", "")), want: "leads elsewhere"},
		{what: "a dot", entries: append(good(), fileEntry("./x", "")), want: "leads elsewhere"},
		{what: "a long name", entries: append(good(), fileEntry(strings.Repeat("n", 256), "")), want: "too long"},
		{what: "a long path", entries: append(good(), fileEntry(deep+"x", "")), want: "too long"},
		{what: "a file beneath a link", entries: append(good(), linkEntry(tar.TypeSymlink, "l", ".."), fileEntry("l/secret", "gotcha")), want: "not in a folder that it has"},
		{what: "a file beneath an absolute link", entries: append(good(), linkEntry(tar.TypeSymlink, "l", "/tmp"), fileEntry("l/x", "")), want: "not in a folder that it has"},
		{what: "a folder that a link takes the place of", entries: append(good(), linkEntry(tar.TypeSymlink, "d", "..")), want: "has /d twice"},
		{what: "a file over a link", entries: append(good(), linkEntry(tar.TypeSymlink, "l", "../secret"), fileEntry("l", "gotcha")), want: "has /l twice"},
		{what: "a file twice", entries: append(good(), fileEntry("d/a", "other")), want: "has /d/a twice"},
		{what: "a folder twice", entries: append(good(), dirEntry("d")), want: "has /d twice"},
		{what: "a file without its folder", entries: append(good(), fileEntry("none/x", "")), want: "not in a folder that it has"},
		{what: "a file in a file", entries: append(good(), fileEntry("d/a/x", "")), want: "not in a folder that it has"},
		{what: "no root folder", entries: []entry{fileEntry("x", "")}, want: "does not begin with the root folder"},
		{what: "two roots", entries: append(good(), dirEntry("")), want: "two roots"},
		{what: "a root that is a link", entries: []entry{linkEntry(tar.TypeSymlink, "", "/").with(func(h *tar.Header) { h.Name = treeName })}, want: "no folder"},
		{what: "no files", want: "has no files"},
		{what: "a hard link that climbs", entries: append(good(), linkEntry(tar.TypeLink, "x", treeName+"/../secret")), want: "leads elsewhere"},
		{what: "a hard link to elsewhere", entries: append(good(), linkEntry(tar.TypeLink, "x", "/etc/shadow")), want: "not one of the box's files"},
		{what: "a hard link through a link", entries: append(good(), linkEntry(tar.TypeSymlink, "l", ".."), linkEntry(tar.TypeLink, "x", treeName+"/l/secret")), want: "leads to what it does not have"},
		{what: "a hard link to nothing", entries: append(good(), linkEntry(tar.TypeLink, "x", treeName+"/later"), fileEntry("later", "")), want: "leads to what it does not have"},
		{what: "a hard link to a folder", entries: append(good(), linkEntry(tar.TypeLink, "x", treeName+"/d")), want: "hard link to the folder"},
		{what: "a disk", entries: append(good(), linkEntry(tar.TypeBlock, "sda", "").with(func(h *tar.Header) { h.Devmajor = 8 })), want: "is a device"},
		{what: "a whiteout", entries: append(good(), linkEntry(tar.TypeChar, "w", "")), want: "is a device"},
		{what: "a user of the host", entries: append(good(), fileEntry("x", "").with(func(h *tar.Header) { h.Uid = 65536 })), want: "a box's ids are 0 to 65535"},
		{what: "a group below all", entries: append(good(), fileEntry("x", "").with(func(h *tar.Header) { h.Gid = -1 })), want: "a box's ids are 0 to 65535"},
		{what: "a mode with a type", entries: append(good(), fileEntry("x", "").with(func(h *tar.Header) { h.Mode = 0o60644 })), want: "has the mode"},
		{what: "an attribute of the overlay", entries: append(good(), fileEntry("x", "").attr("trusted.overlay.redirect", "/etc")), want: "no box may bring"},
		{what: "one of a user's overlay", entries: append(good(), dirEntry("x").attr("user.overlay.opaque", "y")), want: "no box may bring"},
		{what: "a label", entries: append(good(), fileEntry("x", "").attr("security.selinux", "label")), want: "no box may bring"},
		{what: "capabilities of another root", entries: append(good(), fileEntry("x", "").attr("security.capability", "\x01\x00\x00\x03"+strings.Repeat("\x00", 20))), want: "not of revision 2"},
		{what: "an id in an access control list", entries: append(good(), fileEntry("x", "").attr("system.posix_acl_access", acl(70000))), want: "names the id 70000"},
		{what: "half an access control list", entries: append(good(), fileEntry("x", "").attr("system.posix_acl_access", "\x02\x00\x00\x00\x01")), want: "no access control list"},
		{what: "a sparse file", entries: append(good(), fileEntry("x", "").with(func(h *tar.Header) { h.PAXRecords = map[string]string{"BERTH.x": "1"} })), want: "does not write"},
		{what: "too many bytes", entries: append(good(), fileEntry("x", strings.Repeat("x", 5000))), limits: Limits{Size: 4000}, want: "more than 4000 bytes"},
		{what: "too many entries", entries: append(good(), fileEntry("x", "")), limits: Limits{Entries: 5}, want: "more than 5 entries"},
		{what: "no beginning", meta: "-", entries: good(), want: "does not begin with berth.json"},
		{what: "another format", meta: `{"format":2}`, entries: good(), want: "update Berth"},
		{what: "a beginning that is none", meta: `{`, entries: good(), want: "berth.json"},
		{what: "our own file among the others", entries: append(good(), entry{tar.Header{Typeflag: tar.TypeReg, Name: metaName, Mode: 0o644}, goodMeta}), want: "not one of the box's files"},
	}
	for _, row := range rows {
		t.Run(row.what, func(t *testing.T) {
			switch row.meta {
			case "":
				row.meta = goodMeta
			case "-":
				row.meta = ""
			}
			_, err := extract(t, pack(t, row.meta, row.entries), row.limits)
			if !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("Extract: %v; want ErrArchive that says %q", err, row.want)
			}
		})
	}
}

// No byte of an archive can be another one, nor can any be missing, nor more.
func TestExtractDamaged(t *testing.T) {
	packed := pack(t, goodMeta, append(good(), fileEntry("big", strings.Repeat("some text ", 3000))))
	for i := range packed {
		bad := bytes.Clone(packed)
		bad[i] ^= 1 << (i % 8)
		if _, err := extract(t, bad, Limits{}); !errors.Is(err, ErrArchive) {
			t.Fatalf("byte %d of %d flipped: %v", i, len(packed), err)
		}
	}
	for i := 0; i < len(packed); i += 7 {
		if _, err := extract(t, packed[:i], Limits{}); !errors.Is(err, ErrArchive) {
			t.Fatalf("cut off at %d of %d: %v", i, len(packed), err)
		}
	}
	if _, err := extract(t, append(bytes.Clone(packed), 1), Limits{}); !errors.Is(err, ErrArchive) {
		t.Errorf("a byte more: %v", err)
	}
	more := sealed(t, append(bytes.Clone(packed), compress(t, []byte("more"))...))
	if _, err := extract(t, more, Limits{}); !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "something follows") {
		t.Errorf("a frame more: %v", err)
	}
}

// Who packs anew what has been changed has no right sum for it.
func TestExtractForged(t *testing.T) {
	plain := decompress(t, pack(t, goodMeta, good()))
	at := bytes.Index(plain, []byte("text"))
	plain[at] = 'T'
	if _, err := extract(t, compress(t, plain), Limits{}); !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Extract: %v", err)
	}
}

// A bomb is noticed long before it has gone off.
func TestExtractBomb(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		z, _ := zstd.NewWriter(w)
		tw := tar.NewWriter(z)
		hdr := tar.Header{Typeflag: tar.TypeReg, Name: metaName, Mode: 0o644, Size: int64(len(goodMeta)), Format: tar.FormatPAX}
		_ = tw.WriteHeader(&hdr)
		_, _ = io.WriteString(tw, goodMeta)
		for _, e := range good() {
			e.hdr.Uid, e.hdr.Gid, e.hdr.Size = min(os.Getuid(), maxID), min(os.Getgid(), maxID), int64(len(e.content))
			_ = tw.WriteHeader(&e.hdr)
			_, _ = io.WriteString(tw, e.content)
		}
		_ = tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: treeName + "/bomb", Size: 1 << 35, Format: tar.FormatPAX})
		zeros := make([]byte, 1<<20)
		for err := error(nil); err == nil; {
			_, err = tw.Write(zeros)
		}
		w.CloseWithError(io.EOF)
	}()
	dir := t.TempDir()
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = Extract(t.Context(), r, root, Limits{})
	r.Close()
	if !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "more than 200 times larger") {
		t.Errorf("Extract: %v", err)
	}
	if st, err := os.Stat(filepath.Join(dir, "bomb")); err == nil && st.Size() > ratioFrom+1<<20 {
		t.Errorf("%d bytes have been written", st.Size())
	}
}

// What Write writes comes back as it was, but for what a filter leaves out.
func TestRoundTrip(t *testing.T) {
	testenv.NeedRoot(t)
	src := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(src, name) }
	must(os.MkdirAll(in("d/e"), 0o755))
	noise := make([]byte, 3<<20)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	must(os.WriteFile(in("d/noise"), noise, 0o600))
	must(os.WriteFile(in("d/set"), []byte("x"), 0o755))
	must(os.Lchown(in("d/set"), 1000, 65535))
	must(os.Chmod(in("d/set"), 0o755|fs.ModeSetuid|fs.ModeSetgid))
	must(os.Link(in("d/set"), in("d/e/same")))
	must(os.Symlink("../../../../etc/passwd", in("link")))
	must(os.Symlink(strings.Repeat("l", 300), in("long")))
	must(os.Lchown(in("link"), 7, 8))
	must(os.WriteFile(in("caf\xe9 \n=\\"), nil, 0o644))
	must(os.WriteFile(in(strings.Repeat("n", 255)), nil, 0o644))
	must(unix.Mkfifo(in("fifo"), 0o640))
	must(unix.Mknod(in("device"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))))
	must(unix.Setxattr(in("d/noise"), "user.mark", []byte("v\x00=\nw"), 0))
	must(unix.Setxattr(in("d"), "user.mark", []byte("folder"), 0))
	must(unix.Setxattr(in("d/noise"), "trusted.mark", []byte("left out"), 0))
	must(unix.Setxattr(in("d/e"), "system.posix_acl_access", []byte(acl(1000)), 0))
	must(unix.Setxattr(in("d/noise"), "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00"+strings.Repeat("\x00", 12)), 0))
	must(unix.Setxattr(in("d"), "system.posix_acl_default", []byte(acl(1000)), 0))
	must(os.WriteFile(in("secret"), []byte("x"), 0o600))
	must(os.WriteFile(in("empty"), []byte("x"), 0o640))
	must(os.Chmod(in("d/e"), 0o1711|fs.ModeSticky))
	must(unix.UtimesNanoAt(unix.AT_FDCWD, in("d/e"), []unix.Timespec{{Sec: 5}, {Sec: -5, Nsec: 7}}, 0))
	must(os.Chmod(src, 0o750))
	want := describe(t, src)
	delete(want, "device")
	delete(want, "secret")
	want["empty"] = strings.Replace(want["empty"], fmt.Sprintf("%x", sha256.Sum256([]byte("x"))), fmt.Sprintf("%x", sha256.Sum256(nil)), 1)
	want["d/noise"] = strings.Replace(want["d/noise"], " trusted.mark=\"left out\"", "", 1)

	var packed bytes.Buffer
	filter := func(rel string) (bool, bool) { return rel == "secret", rel == "empty" }
	must(Write(t.Context(), &packed, src, Meta{Arch: "amd64", Box: "web", Created: made}, filter))
	dir, err := extract(t, packed.Bytes(), Limits{})
	must(err)
	if diff := cmp.Diff(want, describe(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if a, b := number(t, filepath.Join(dir, "d/set")), number(t, filepath.Join(dir, "d/e/same")); a != b {
		t.Error("a hard link has become two files")
	}
}

func number(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// describe returns all that matters of each file of a tree.
func describe(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		links := st.Nlink
		text := fmt.Sprintf("%o %d:%d %d.%d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
		switch e.Type() {
		case fs.ModeSymlink:
			target, _ := os.Readlink(path)
			text += " " + target
		case 0:
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %d %x", links, sha256.Sum256(b))
		}
		for _, name := range []string{"user.mark", "trusted.mark", "system.posix_acl_access", "system.posix_acl_default", "security.capability"} {
			value := make([]byte, 1000)
			if n, err := unix.Lgetxattr(path, name, value); err == nil {
				text += fmt.Sprintf(" %s=%q", name, value[:n])
			}
		}
		all[rel] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Whatever bytes come, nothing outside is touched, and what is taken is as the sum
// says; both are checked by extract and Extract.
func FuzzExtract(f *testing.F) {
	f.Add(decompress(f, pack(f, goodMeta, good())))
	f.Add(decompress(f, pack(f, goodMeta, append(good(), linkEntry(tar.TypeSymlink, "l", ".."), fileEntry("l/secret", "gotcha")))))
	f.Add([]byte("no tar"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		_, err := extract(t, compress(t, plain), Limits{Size: 1 << 20, Entries: 100})
		var of *placeError
		if err != nil && !errors.Is(err, ErrArchive) && !errors.As(err, &of) {
			t.Errorf("Extract: %v", err)
		}
		if _, err := extract(t, plain, Limits{Size: 1 << 20, Entries: 100}); err == nil && len(plain) < 100 {
			t.Errorf("%q was taken for an archive", plain)
		}
	})
}
