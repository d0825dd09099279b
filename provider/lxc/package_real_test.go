package lxc

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/archive"
)

// makeFiles makes files of all kinds in a box, seeFiles says what they are.
const makeFiles = `set -e
mkdir -p /srv/t/d; cd /srv/t
echo text >a; chmod 4751 a; chown 1000:50 a; ln a d/b
ln -s /etc/passwd link; mkfifo -m 640 fifo; head -c 3M /dev/urandom >big; truncate -s 20M sparse
python3 - <<END
import os, struct
os.setxattr("a", "user.mark", b"v\0w")
os.setxattr("d", "system.posix_acl_default", struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in
    [(1, 7, 0xffffffff), (2, 7, 1000), (4, 5, 0xffffffff), (16, 7, 0xffffffff), (32, 5, 0xffffffff)]))
os.setxattr("big", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))
END
touch -d @1234567890.123456789 big d
rm -r /usr/share/bash-completion; touch "$(printf 'caf\351')"
echo secret >/tmp/secret; echo mine >/etc/motd`

const seeFiles = `cd /srv/t; find . -printf '%P %M %n %U:%G %s %T@ %l\n' | sort; md5sum a d/b big sparse
test a -ef d/b && echo same; test -e /usr/share/bash-completion || echo gone; cat /etc/motd; test -e /tmp/secret && echo kept
python3 -c 'import os
for f in ("a", "d", "big"): print([(n, os.getxattr(f, n)) for n in sorted(os.listxattr(f))])'`

// A box goes into a file and comes back, in another data folder, with all that it
// has and nothing that makes it itself. A flipped byte is refused, and who is
// killed leaves nothing that is used.
func TestRealPackage(t *testing.T) {
	p, spec := realProvider(t)
	c := churner{t, p, spec}
	c.begin("")
	if out, err := inBox(t, p, spec.ID, makeFiles); err != nil {
		t.Fatal(out, err)
	}
	want, err := inBox(t, p, spec.ID, seeFiles)
	if err != nil {
		t.Fatal(want, err)
	}
	id, _ := inBox(t, p, spec.ID, "cat /etc/machine-id")
	file := filepath.Join(t.TempDir(), "box.berth")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Package(t.Context(), spec.ID, file, nil); err != nil {
		t.Fatal(err)
	}
	if left := layersOf(t, p); len(left) > 0 {
		t.Errorf("left of the packaging: %v", left)
	}
	c.destroy()

	// Another host: it has no image.
	other := Open(t.TempDir()).(*lxcProvider)
	i := provider.Import{File: file, Name: "local:box"}
	refuseFlipped(t, other, i)
	if err := other.ImportImage(t.Context(), i, nil); err != nil {
		t.Fatal(err)
	}
	twin := realSpec(t, other, "test", "twin", "local:box")
	d := churner{t, other, twin}
	d.begin("")
	got, err := inBox(t, other, twin.ID, seeFiles)
	if want := strings.Replace(want, "\nkept", "", 1); err != nil || got != want {
		t.Errorf("the files are (%v)\n%s\nwant\n%s", err, got, want)
	}
	if !strings.Contains(want, "security.capability") || !strings.Contains(want, "same\ngone\nmine\nkept") {
		t.Errorf("the test does not see what it is about:\n%s", want)
	}
	if now, _ := inBox(t, other, twin.ID, "cat /etc/machine-id"); now == id || len(now) != 32 {
		t.Errorf("the machine's id is %s, as that of the first box", now)
	}
	if host, _ := inBox(t, other, twin.ID, "hostname"); host != twin.Hostname {
		t.Errorf("its host name is %q", host)
	}

	// What the box stands on stays.
	if err := other.Collect(t.Context(), provider.Collection{}, func(u provider.Use) { t.Errorf("removed %+v", u) }, nil); err != nil {
		t.Error(err)
	}
	again := filepath.Join(t.TempDir(), "again.berth")
	if err := os.WriteFile(again, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := other.Package(t.Context(), twin.ID, again, nil); err != nil {
		t.Errorf("a box that came from a package is packaged: %v", err)
	}
	d.destroy()
}

// refuseFlipped imports a file with a byte that is another one.
func refuseFlipped(t *testing.T, p *lxcProvider, i provider.Import) {
	t.Helper()
	b, err := os.ReadFile(i.File)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{len(b) / 2} { // package archive flips every one
		bad := bytes.Clone(b)
		bad[at] ^= 0x10
		i.File = filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(i.File, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.ImportImage(t.Context(), i, nil); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("byte %d of %d flipped: %v", at, len(b), err)
		}
		if uses, err := p.Space(t.Context()); err != nil || len(uses) > 0 {
			t.Errorf("left: %v, %v", uses, err)
		}
		if left, _ := filepath.Glob(filepath.Join(p.store.layers(), ".new-*")); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// An import that is killed at any moment has happened, or there is no image; the
// next one removes what is left.
func TestImportKilled(t *testing.T) {
	testenv.NeedRoot(t)
	p := Open(t.TempDir()).(*lxcProvider)
	tree := t.TempDir()
	for n := range 400 {
		if err := os.WriteFile(filepath.Join(tree, fmt.Sprintf("f%d", n)), bytes.Repeat([]byte{byte(n)}, n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	i := provider.Import{File: writeArchive(t, tree, "box"), Name: "local:box"}
	empty := func() { // of images
		t.Helper()
		if err := p.Collect(t.Context(), provider.Collection{}, nil, nil); err != nil {
			t.Fatal(err)
		}
		if left, _ := filepath.Glob(filepath.Join(p.store.layers(), "*")); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
	done, half := 0, 0
	killedAtChanges(t, p, []string{"import", i.File, i.Name}, empty, func(moment string) {
		img, err := p.Image(t.Context(), i.Name)
		left, _ := filepath.Glob(filepath.Join(p.store.layers(), importName+"*"))
		half += len(left)
		if err != nil {
			return
		}
		done++
		if sum, _, err := treeDigest(t.Context(), p.store.layer(strings.TrimPrefix(img.Digest, "sha256:"))); err != nil || "sha256:"+sum != img.Digest {
			t.Errorf("killed at %s the image is not what it says: %v", moment, err)
		}
	})
	if done == 0 || half == 0 {
		t.Errorf("%d were complete, %d half made; want some of both", done, half)
	}
	if err := p.ImportImage(t.Context(), i, nil); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(p.store.layers(), importName+"*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// An image has one name for one content, unless it is to be replaced.
func TestImportNames(t *testing.T) {
	testenv.NeedRoot(t)
	p := Open(t.TempDir()).(*lxcProvider)
	one, two := smallArchive(t, "one"), smallArchive(t, "two")
	take := func(file, name string, replace bool) error {
		return p.ImportImage(t.Context(), provider.Import{File: file, Name: name, Replace: replace}, nil)
	}
	for _, name := range []string{"local:", "local:../x", "local:A", "debian:bookworm", "x", "local:" + strings.Repeat("x", 64)} {
		if err := take(one, name, false); err == nil || !strings.Contains(err.Error(), "name of an imported image") {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, step := range []struct {
		file    string
		replace bool
		want    string
	}{{one, false, ""}, {one, false, ""}, {two, false, "it is another one"}, {two, true, ""}, {one, true, ""}} {
		err := take(step.file, "local:x", step.replace)
		if step.want == "" && err != nil || step.want != "" && (err == nil || !strings.Contains(err.Error(), step.want)) {
			t.Errorf("%s: %v, want %q", step.file, err, step.want)
		}
	}
	if err := p.FetchImage(t.Context(), "local:none", nil); err == nil || !strings.Contains(err.Error(), "there are local:x") {
		t.Errorf("Image: %v", err)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := exec.Command("mkfifo", fifo).Run(); err != nil {
		t.Fatal(err)
	}
	if err := take(fifo, "local:y", false); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a FIFO: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(p.store.layers(), ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// smallArchive returns a file with a tree of one file.
func smallArchive(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return writeArchive(t, dir, fmt.Sprintf("%x", sha256.Sum256([]byte(text)))[:8])
}

func writeArchive(t *testing.T, tree, box string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), box+".berth")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	meta := archive.Meta{Arch: runtime.GOARCH, Box: box, Created: time.Now()}
	if err := archive.Write(t.Context(), f, tree, meta, packed); err != nil {
		t.Fatal(err)
	}
	return file
}
