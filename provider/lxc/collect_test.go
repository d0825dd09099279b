package lxc

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/provider"
)

// warehouse is a store that is filled by hand: what is in a layer is of no
// concern to who removes it.
type warehouse struct {
	t *testing.T
	p *lxcProvider
}

func newWarehouse(t *testing.T) warehouse {
	t.Helper()
	return warehouse{t, &lxcProvider{store: store{root: t.TempDir()}, mode: rootMode{}}}
}

func (w warehouse) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w warehouse) fill(dir string) {
	w.t.Helper()
	w.must(os.MkdirAll(filepath.Join(dir, "etc"), 0o755))
	w.must(os.WriteFile(filepath.Join(dir, "etc/file"), make([]byte, 10_000), 0o644))
}

// used makes a record look as if it had last been used so long ago.
func (w warehouse) used(file string, ago time.Duration) {
	w.t.Helper()
	at := time.Now().Add(-ago)
	w.must(os.Chtimes(file, at, at))
}

func (w warehouse) image(name, layer string, ago time.Duration) {
	w.t.Helper()
	w.fill(w.p.store.layer(layer))
	file := filepath.Join(w.p.store.images(), strings.ReplaceAll(name, ":", "-")+".json")
	w.must(writeJSON(file, image{Name: name, Layer: layer, Size: 1000}))
	w.used(file, ago)
}

// checkpoint makes a checkpoint over layers that are there; its own is kept-KEY.
func (w warehouse) checkpoint(key string, ago time.Duration, beneath ...string) {
	w.t.Helper()
	own := keptLayer + key
	w.fill(w.p.store.layer(own))
	w.must(writeJSON(w.p.store.sumFile(own), sum{Size: 100}))
	w.must(w.p.store.saveCheckpoint(checkpoint{Key: key, Image: "debian:bookworm", Layers: append([]string{own}, beneath...)}))
	w.used(w.p.store.checkpointFile(key), ago)
}

func (w warehouse) box(id string, layers ...string) {
	w.t.Helper()
	w.fill(filepath.Join(w.p.store.file(id, "disk"), "upper"))
	w.must(w.p.store.save(record{ID: id, Layers: layers, Ready: true}))
}

func (w warehouse) cache(project string, ago time.Duration) {
	w.t.Helper()
	dir := w.p.store.cache(project)
	w.must(os.MkdirAll(dir, 0o755))
	w.must(os.WriteFile(filepath.Join(dir, "a.deb"), make([]byte, 5000), 0o644))
	w.used(filepath.Join(dir, "a.deb"), ago)
	w.used(dir, ago)
}

// left lists what is in the store, by name.
func (w warehouse) left() []string {
	w.t.Helper()
	var all []string
	for _, pattern := range []string{"images/*.json", "layers/*", "checkpoints/*.json", "checkpoints/layers/*", "cache/*", "boxes/*"} {
		found, err := filepath.Glob(filepath.Join(w.p.store.root, pattern))
		w.must(err)
		for _, f := range found {
			all = append(all, strings.TrimPrefix(f, w.p.store.root+"/"))
		}
	}
	slices.Sort(all)
	return all
}

func (w warehouse) collect(c provider.Collection) (names []string, freed int64) {
	w.t.Helper()
	w.must(w.p.Collect(w.t.Context(), c, func(u provider.Use) {
		names = append(names, u.Name)
		freed += u.Size
	}, nil))
	return names, freed
}

const day = 24 * time.Hour

func size(n int64) *int64 { return &n }

func TestCollectPlan(t *testing.T) {
	// All rows begin with the same: an image, three checkpoints one on another, one
	// on the second, and another image.
	rows := []struct {
		what  string
		boxes map[string][]string
		c     provider.Collection
		want  string
		freed int64
	}{
		{what: "nothing is old", c: provider.Collection{OlderThan: 100 * day}},
		{what: "all of it", c: provider.Collection{OlderThan: 0}, want: "three side two one image:a image:b", freed: 2400},
		{what: "what is old, but not what younger ones stand on", c: provider.Collection{OlderThan: 25 * day}, want: "three image:b", freed: 1100},
		{what: "a box stands on the third", boxes: map[string][]string{"x": {"kept-three", "kept-two", "kept-one", "a"}},
			c: provider.Collection{OlderThan: 0}, want: "side image:b", freed: 1100},
		{what: "a box stands on the image", boxes: map[string][]string{"x": {"a"}},
			c: provider.Collection{OlderThan: 0}, want: "three side two one image:b", freed: 1400},
		{what: "a snapshot stands on the second", c: provider.Collection{OlderThan: 0, Checkpoints: []string{"one", "two", "three"}},
			want: "three image:b", freed: 1100},
		{what: "an image is locked", c: provider.Collection{OlderThan: 0, Images: []string{"sha256:b"}}, want: "three side two one image:a", freed: 1400},
		{what: "images must stay", c: provider.Collection{OlderThan: 0, KeepImages: true}, want: "three side two one", freed: 400},
		{what: "at most so much", c: provider.Collection{OlderThan: 100 * day, Keep: size(1300)}, want: "three image:b", freed: 1100},
		{what: "room for all", c: provider.Collection{OlderThan: 100 * day, Keep: size(2400)}},
		{what: "room for nothing", c: provider.Collection{OlderThan: 100 * day, Keep: size(0)}, want: "image:b three side two one image:a", freed: 2400},
	}
	for _, row := range rows {
		t.Run(row.what, func(t *testing.T) {
			w := newWarehouse(t)
			w.image("image:a", "a", 60*day)
			w.image("image:b", "b", 50*day)
			w.checkpoint("one", 40*day, "a")
			w.checkpoint("two", 30*day, "kept-one", "a")
			w.checkpoint("three", 45*day, "kept-two", "kept-one", "a")
			w.checkpoint("side", 10*day, "kept-two", "kept-one", "a")
			for id, layers := range row.boxes {
				w.box(id, layers...)
			}
			if row.c.Checkpoints == nil {
				row.c.Checkpoints = []string{"one", "two", "three", "side"}
			}
			before := w.left()
			dry := row.c
			dry.DryRun = true
			would, _ := w.collect(dry)
			if diff := cmp.Diff(before, w.left()); diff != "" {
				t.Errorf("a dry run has changed something:\n%s", diff)
			}
			got, freed := w.collect(row.c)
			if !slices.Equal(sorted(got), sorted(strings.Fields(row.want))) || freed != row.freed {
				t.Errorf("removed %q, which freed %d; want %q and %d", got, freed, row.want, row.freed)
			}
			if !slices.Equal(got, would) {
				t.Errorf("removed %q, and a dry run said %q", got, would)
			}
			for _, it := range mustStock(t, w.p.store).items {
				if err := w.p.store.haveLayers(it.layers); err != nil {
					t.Errorf("%s has lost what it stands on: %v", it.name, err)
				}
			}
			if again, _ := w.collect(row.c); len(again) > 0 {
				t.Errorf("a second time it removes %q", again)
			}
		})
	}
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

func mustStock(t *testing.T, s store) *stock {
	t.Helper()
	st, err := s.takeStock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// Leftovers go whatever their age, caches of projects without boxes by age, and
// what another process is just making stays.
func TestCollectLeftovers(t *testing.T) {
	w := newWarehouse(t)
	w.image("image:a", "a", 0)
	s := w.p.store
	w.fill(filepath.Join(s.layers(), ".new-bookworm-1"))
	w.fill(filepath.Join(s.layers(), ".gone-x"))
	w.fill(s.layer("unnamed"))
	w.fill(filepath.Join(s.boxes(), ".gone-1"))
	w.fill(filepath.Join(s.keptLayers(), "kept-unnamed"))
	w.fill(filepath.Join(s.keptLayers(), ".new-dead"))
	w.cache("with", 90*day)
	w.cache("without", 90*day)
	w.cache("young", 0)
	w.box("box", "a")
	making, err := s.newLayer()
	if err != nil {
		t.Fatal(err)
	}
	defer making.close()
	for _, dir := range []string{"kept-unnamed", ".new-dead"} { // newLayer has swept them
		w.fill(filepath.Join(s.keptLayers(), dir))
	}
	w.collect(provider.Collection{OlderThan: 30 * day, Projects: []string{"with"}})
	want := sorted([]string{"images/image-a.json", "layers/a", "boxes/box", "cache/with", "cache/young",
		"checkpoints/layers/" + filepath.Base(making.path)})
	// Glob finds no names that begin with a dot unless asked.
	hidden, _ := filepath.Glob(filepath.Join(s.root, "*", ".[ng]*"))
	if len(hidden) > 0 {
		t.Errorf("left: %v", hidden)
	}
	got := w.left()
	if making, _ := filepath.Glob(filepath.Join(s.keptLayers(), ".new-*")); len(making) != 1 {
		t.Errorf("being made, or left: %v", making)
	}
	want = slices.DeleteFunc(want, func(s string) bool { return strings.Contains(s, ".new-") })
	got = slices.DeleteFunc(got, func(s string) bool { return strings.Contains(s, ".new-") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Images that are linked from elsewhere are others' as well.
func TestCollectLinkedImages(t *testing.T) {
	w, other := newWarehouse(t), newWarehouse(t)
	other.image("image:a", "a", 90*day)
	for _, name := range []string{"images", "layers"} {
		w.must(os.Symlink(filepath.Join(other.p.store.root, name), filepath.Join(w.p.store.root, name)))
	}
	if got, _ := w.collect(provider.Collection{}); len(got) > 0 {
		t.Errorf("removed %q", got)
	}
	if got, _ := other.collect(provider.Collection{}); len(got) != 1 {
		t.Errorf("whose own they are: removed %q", got)
	}
}

// A record that cannot be read may name anything: nothing goes.
func TestCollectUnknownBox(t *testing.T) {
	w := newWarehouse(t)
	w.image("image:a", "a", 90*day)
	w.box("box", "a")
	w.must(os.WriteFile(w.p.store.file("box", "box.json"), []byte("{"), 0o600))
	if err := w.p.Collect(t.Context(), provider.Collection{}, nil, nil); err == nil || !strings.Contains(err.Error(), "read the record of box box") {
		t.Errorf("Collect: %v", err)
	}
	if err := w.p.store.haveLayers([]string{"a"}); err != nil {
		t.Error(err)
	}
}

// Beside collections boxes get their records: each has what it is made of, or is
// refused.
func TestCollectBesideCreate(t *testing.T) {
	w := newWarehouse(t)
	w.image("image:a", "a", 0)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := w.p.Collect(context.Background(), provider.Collection{Checkpoints: keysOf(60)}, nil, nil); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	made := 0
	for i := range 60 {
		done, err := w.p.store.use(t.Context(), nil)
		w.must(err)
		w.image("image:a", "a", 0)
		key := fmt.Sprintf("k%d", i)
		w.checkpoint(key, 0, "a")
		done()
		if i%2 == 0 {
			time.Sleep(time.Millisecond)
		}
		id := fmt.Sprintf("box-%d", i)
		if err := w.p.store.saveUsing(record{ID: id, Layers: []string{keptLayer + key, "a"}}, []string{keptLayer + key, "a"}); err != nil {
			continue
		}
		made++
		if err := w.p.store.haveLayers([]string{keptLayer + key, "a"}); err != nil {
			t.Errorf("box %d: %v", i, err)
		}
	}
	stop()
	w.must(<-ended)
	boxes, err := w.p.store.records()
	w.must(err)
	for _, r := range boxes {
		if err := w.p.store.haveLayers(r.Layers); err != nil {
			t.Errorf("%s: %v", r.ID, err)
		}
	}
	if made == 0 {
		t.Error("no box was made")
	}
}

func keysOf(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("k%d", i))
	}
	return keys
}

func TestSpaceAddsUp(t *testing.T) {
	w := newWarehouse(t)
	w.image("image:a", "a", 0)
	w.image("image:b", "a", 0) // the same tree by another name
	w.checkpoint("one", 0, "a")
	w.box("box", "kept-one", "a")
	w.cache("project", 0)
	uses, err := w.p.Space(t.Context())
	w.must(err)
	sums := map[provider.UseKind]int64{}
	for _, u := range uses {
		sums[u.Kind] += u.Size
		switch u.Kind {
		case provider.UseImage, provider.UseCheckpoint, provider.UseBox:
			if !u.Needed {
				t.Errorf("%s is not needed", u.Name)
			}
		}
		if u.Kind == provider.UseBox && u.Shared != 1100 {
			t.Errorf("the box stands on %d bytes", u.Shared)
		}
	}
	if sums[provider.UseImage] != 1000 || sums[provider.UseCheckpoint] != 100 || sums[provider.UseBox] < 10_000 || sums[provider.UseCache] < 5000 {
		t.Errorf("sizes: %v", sums)
	}
}
