package lxc

import (
	"fmt"
	"slices"
	"testing"
)

// However often a box is kept and given back what was kept, its layers are bounded,
// and its files are what they were: also when it goes on over the layers that it
// had, and is kept again.
func TestRealCheckpointManyLayers(t *testing.T) {
	p, spec := realProvider(t)
	c := churner{t, p, spec}
	c.begin("")
	c.churn(1, 150)
	want := c.dump()
	c.stop()
	most, joined := 0, 0
	for i := range maxLayers + 10 {
		key := fmt.Sprintf("push-%d", i)
		before := c.layers()
		c.keep(key)
		kept, err := p.store.loadCheckpoint(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, len(kept.Layers))
		if len(kept.Layers) < len(before) {
			joined++
			// It goes on over its many layers, and the next has what is new over few.
			c.start()
			c.churn(2, 150)
			want = c.dump()
			c.stop()
			key += "-on"
			c.keep(key)
			if kept, err = p.store.loadCheckpoint(t.Context(), key); err != nil || len(kept.Layers) != 3 || !slices.Equal(c.layers(), before) {
				t.Fatalf("a checkpoint over %d layers: %v, %v", len(before), kept.Layers, err)
			}
		}
		if err := p.Restore(t.Context(), spec, key, nil); err != nil {
			t.Fatal(err)
		}
		if slices.Contains([]int{1, maxLayers - 3, maxLayers - 1, maxLayers + 9}, i) {
			c.start()
			c.expect(key, want)
			c.churn(uint64(i), 60)
			want = c.dump()
			c.stop()
		}
		c.dropAllBut(key)
	}
	if most > maxLayers || joined != 1 {
		t.Errorf("up to %d layers, joined %d times", most, joined)
	}
	c.destroy()
	removeAllKept(t, p)
}

// layers returns what the box is made of.
func (c churner) layers() []string {
	c.t.Helper()
	r, err := c.p.store.load(c.spec.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	return r.Layers
}

// dropAllBut removes the other checkpoints.
func (c churner) dropAllBut(key string) {
	c.t.Helper()
	all, err := c.p.store.listCheckpoints()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, k := range all {
		if k.Key == key {
			continue
		}
		if err := c.p.RemoveCheckpoint(c.t.Context(), k.Key); err != nil {
			c.t.Fatal(err)
		}
	}
}
