package lxc

import (
	"slices"
	"time"

	"github.com/berth-dev/berth/provider"
)

// toGo returns the items that a collection removes, in the order in which they
// go: what stands on another one before that. Images go only if they are all
// ours.
func (st *stock) toGo(c provider.Collection, ownImages bool, now time.Time) []*item {
	needed := st.neededLayers(c)
	var free []*item
	for _, it := range st.items {
		switch {
		case needed[it.layers[0]]:
		case it.kind == provider.UseImage && (!ownImages || c.KeepImages || slices.Contains(c.Images, "sha256:"+it.layers[0])):
		default:
			free = append(free, it)
		}
	}
	passOn(free)
	slices.SortStableFunc(free, func(a, b *item) int {
		if d := a.used.Compare(b.used); d != 0 {
			return d
		}
		return len(b.layers) - len(a.layers)
	})
	var going []*item
	for i, it := range free {
		old := now.Sub(it.used) >= c.OlderThan
		full := c.Keep != nil && st.sizeBeyond(free[i:], needed) > *c.Keep
		if !old && !full {
			break // those after it were used later
		}
		going = append(going, it)
	}
	return going
}

// neededLayers are those that boxes, and checkpoints that must stay, are made of.
func (st *stock) neededLayers(c provider.Collection) map[string]bool {
	needed := map[string]bool{}
	add := func(layers []string) {
		for _, l := range layers {
			needed[l] = true
		}
	}
	for _, r := range st.boxes {
		add(r.Layers)
		add(r.Restoring)
	}
	mayGo := map[string]bool{}
	for _, key := range c.Checkpoints {
		mayGo[key] = true
	}
	for _, it := range st.items {
		if it.kind == provider.UseCheckpoint && !mayGo[it.name] {
			add(it.layers)
		}
	}
	return needed
}

// passOn makes sure that what others stand on was used as lately as they were:
// it costs nothing as long as they are there.
func passOn(items []*item) {
	last := map[string]time.Time{}
	for _, it := range items {
		for _, l := range it.layers {
			if it.used.After(last[l]) {
				last[l] = it.used
			}
		}
	}
	for _, it := range items {
		it.used = last[it.layers[0]]
	}
}

// sizeBeyond returns how many bytes items use of layers that are not needed.
func (st *stock) sizeBeyond(items []*item, needed map[string]bool) (size int64) {
	seen := map[string]bool{}
	for _, it := range items {
		for _, l := range it.layers {
			if !seen[l] && !needed[l] {
				size += st.sizes[l]
			}
			seen[l] = true
		}
	}
	return size
}
