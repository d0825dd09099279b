package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/berth-dev/berth/internal/testenv"
)

// However much an archive says of its folders, little of it stays in memory.
func TestFoldersMemory(t *testing.T) {
	testenv.NeedRoot(t)
	root, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	p := &place{root: root}
	const many, large = 3000, 3000
	put := func(name string, i int) {
		hdr := &tar.Header{Typeflag: tar.TypeDir, Name: treeName + "/" + name, Mode: 0o755, ModTime: made,
			PAXRecords: map[string]string{xattrPrefix + "user.mark": fmt.Sprint(i) + strings.Repeat("x", large)}}
		if err := p.put(name, hdr, nil); err != nil {
			t.Fatal(err)
		}
	}
	put(".", 0)
	before := heap()
	for i := range many {
		put(fmt.Sprintf("%d-%s", i, strings.Repeat("n", 200)), i)
	}
	if grown := heap() - before; grown > many*300 {
		t.Errorf("%d folders take %d bytes of memory", many, grown)
	}
	if err := p.finish(); err != nil {
		t.Error(err)
	}
	runtime.KeepAlive(p)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Access control lists that must be kept are kept once, and not without end.
func TestFoldersACLs(t *testing.T) {
	var f folders
	one, err := f.acl("one")
	two, again := f.acl("two")
	three, third := f.acl("one")
	if one != 1 || two != 2 || three != 1 || errors.Join(err, again, third) != nil {
		t.Error(one, two, three, err, again, third)
	}
	if none, err := f.acl(""); none != 0 || err != nil {
		t.Error(none, err)
	}
	if _, err := f.acl(strings.Repeat("x", maxACLs)); !errors.Is(err, ErrArchive) {
		t.Error(err)
	}
}
