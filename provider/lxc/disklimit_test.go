package lxc

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider"
)

func TestDiskSize(t *testing.T) {
	const mib = 1 << 20
	for limit, want := range map[int64]int64{
		0: 0, 64 * mib: 64 * mib, 64*mib + 5000: 64*mib + 4096, 72 * mib: 72 * mib, 127 * mib: 127 * mib, 128 * mib: 128 * mib,
		129 * mib: 128 * mib, 143 * mib: 128 * mib, 144 * mib: 144 * mib, 300 * mib: 300 * mib,
		10 << 30: 10 << 30, 20_000_000_000: 149 * 128 * mib, 20_100_000_000: 20_100_000_000 / 4096 * 4096,
	} {
		if got := diskSize(limit); got != want || diskSize(got) != got {
			t.Errorf("diskSize(%d) is %d, not %d", limit, got, want)
		}
	}
}

// wholeBox makes a box with a disk of so many bytes, of which nothing runs.
func wholeBox(t *testing.T, size int64) (*lxcProvider, record) {
	t.Helper()
	testenv.NeedRoot(t)
	s := store{root: t.TempDir()}
	r := record{ID: "b1", Layers: []string{"img"}, Ready: true}
	o, err := makeOwn(t.Context(), s.file(r.ID, "disk"), size)
	if err != nil {
		t.Fatal(err)
	}
	o.close()
	for _, err := range []error{os.MkdirAll(s.layer("img"), 0o755), s.save(r)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return &lxcProvider{store: s, mode: rootMode{}}, r
}

// A disk of any size that is asked for has it after one start, be it new, moved or
// grown, and is let alone from then on.
func TestRealDiskSizesAreReached(t *testing.T) {
	for _, asked := range []int64{100 << 20, 129 << 20, 200 << 20, 515 << 20, 640 << 20, 20_000_000_000, 20_029_000_000, 81*128<<20 + 8<<20} {
		p, r := wholeBox(t, 64<<20)
		limits := provider.Resources{Disk: asked}
		for _, from := range []int64{asked, 0, 64 << 20} {
			o, err := makeOwn(t.Context(), p.store.file(r.ID, "disk"), diskSize(from))
			if err != nil {
				t.Fatal(err)
			}
			o.close()
			if err := p.fitDisk(t.Context(), &r, provider.Spec{ID: r.ID, Resources: limits}, nil); err != nil {
				t.Fatal(err)
			}
			if have, err := imageSize(p.store.file(r.ID, "disk")); have != diskSize(asked) || err != nil {
				t.Errorf("from %d: a disk of %d has %d, not %d (%v)", from, asked, have, diskSize(asked), err)
			}
			again := func(e provider.Event) { t.Errorf("from %d, a disk of %d: %s", from, asked, e.Text) }
			if err := p.fitDisk(t.Context(), &r, provider.Spec{ID: r.ID, Resources: limits}, again); err != nil {
				t.Error(err)
			}
			if err := p.resizeDisk(r.ID, limits, true); err != nil {
				t.Error(err)
			}
		}
	}
}

// A disk that an older Berth has made a little larger is not moved.
func TestRealDiskOfOlder(t *testing.T) {
	p, r := wholeBox(t, 138<<20)
	if have, err := imageSize(p.store.file(r.ID, "disk")); have != 138<<20 {
		t.Skipf("mkfs makes it %d large, %v", have, err)
	}
	image := filepath.Join(p.store.file(r.ID, "disk"), imageName)
	before, err := os.Stat(image)
	if err != nil {
		t.Fatal(err)
	}
	limits := provider.Resources{Disk: 138 << 20}
	if err := p.fitDisk(t.Context(), &r, provider.Spec{ID: r.ID, Resources: limits}, nil); err != nil {
		t.Error(err)
	}
	if err := p.resizeDisk(r.ID, limits, true); err != nil {
		t.Error(err)
	}
	if after, err := os.Stat(image); err != nil || !os.SameFile(before, after) {
		t.Errorf("it is another now: %v", err)
	}
}
