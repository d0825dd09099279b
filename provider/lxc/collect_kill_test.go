package lxc

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/berth-dev/berth/provider"
)

// A collection that is killed at any moment has not touched what is needed, and
// the next one removes the rest.
func TestCollectKilled(t *testing.T) {
	w := newWarehouse(t)
	w.p = Open(w.p.store.root).(*lxcProvider)
	many := func(dir string) {
		for i := range 100 {
			w.must(os.WriteFile(filepath.Join(dir, fmt.Sprintf("etc/f%d", i)), nil, 0o644))
		}
	}
	s := w.p.store
	fill := func() {
		w.image("image:a", "a", 0)
		w.image("image:free", "free", 0)
		many(s.layer("free"))
		w.checkpoint("held", 0, "a")
		w.checkpoint("free", 0, "free")
		many(s.layer("kept-free"))
		w.cache("free", 0)
	}
	fill()
	w.box("box", "kept-held", "a")
	unfinished := 0
	killedAtChanges(t, w.p, []string{"collect"}, fill, func(moment string) {
		if len(w.left()) > 8 {
			unfinished++
		}
		for _, it := range mustStock(t, s).items {
			if err := s.haveLayers(it.layers); err != nil {
				t.Errorf("killed at %s, %s %s leads to what is gone: %v", moment, it.kind, it.name, err)
			}
		}
		w.collect(provider.Collection{Checkpoints: []string{"free"}})
		if got := w.left(); len(got) != 6 {
			t.Errorf("after %s: %q", moment, got)
		}
		r, err := s.load("box")
		if err != nil || s.haveLayers(r.Layers) != nil {
			t.Errorf("after %s the box has lost what it is made of: %v", moment, err)
		}
		hidden, _ := filepath.Glob(filepath.Join(s.layers(), ".*"))
		if len(hidden) > 0 {
			t.Errorf("left: %v", hidden)
		}
	})
	if unfinished == 0 {
		t.Error("none was killed before its end")
	}
}
