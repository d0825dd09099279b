package lxc

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

// stock is what the store has, and what each thing stands on.
type stock struct {
	boxes []record
	items []*item
	sizes map[string]int64 // of layers, bytes
	refs  map[string]int   // how many items and boxes name a layer
}

// item is an image or a checkpoint.
type item struct {
	kind   provider.UseKind
	name   string
	file   string   // its record
	layers []string // topmost first
	used   time.Time
	needed bool // a box, or a checkpoint, stands on it
}

// takeStock looks at all of the store. What cannot be read is an error: it may
// name what must stay.
func (s store) takeStock(ctx context.Context) (*stock, error) {
	boxes, err := s.records()
	if err != nil {
		return nil, err
	}
	st := &stock{boxes: boxes, sizes: map[string]int64{}, refs: map[string]int{}}
	images, err := s.listImages()
	if err != nil {
		return nil, err
	}
	for _, img := range images {
		st.sizes[img.Layer] = img.Size // to look at all its files takes long
		st.items = append(st.items, &item{kind: provider.UseImage, name: img.Name, file: img.path, layers: []string{img.Layer}, used: usedAt(img.path)})
	}
	checkpoints, err := s.listCheckpoints()
	if err != nil {
		return nil, err
	}
	for _, c := range checkpoints {
		file := s.checkpointFile(c.Key)
		st.items = append(st.items, &item{kind: provider.UseCheckpoint, name: c.Key, file: file, layers: c.Layers, used: usedAt(file)})
	}
	for _, r := range boxes {
		st.name(append(r.Layers[:len(r.Layers):len(r.Layers)], r.Restoring...))
	}
	own := map[string]int{}
	for _, it := range st.items {
		st.name(it.layers)
		own[it.layers[0]]++
	}
	for _, it := range st.items {
		it.needed = st.refs[it.layers[0]] > own[it.layers[0]]
	}
	for l := range st.refs {
		if st.sizes[l] > 0 {
			continue
		}
		if st.sizes[l], err = s.layerSize(ctx, l); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// name counts whoever names layers.
func (st *stock) name(layers []string) {
	for _, l := range layers {
		st.refs[l]++
	}
}

// layerSize returns the bytes that a layer uses.
func (s store) layerSize(ctx context.Context, l string) (int64, error) {
	if strings.HasPrefix(l, keptLayer) {
		var have sum
		if readRecord(s.sumFile(l), &have) == nil {
			return have.Size, nil
		}
	}
	return layer.DiskUse(ctx, s.layer(l))
}

func (st *stock) sizeOf(layers []string) (size int64) {
	for _, l := range layers {
		size += st.sizes[l]
	}
	return size
}

// uses returns the items as others see them: each layer belongs to the first
// whose own it is, and what is nobody's own to those that stand on it.
func (st *stock) uses() []provider.Use {
	var all []provider.Use
	owned := map[string]bool{}
	for _, it := range st.items {
		u := it.use()
		top := it.layers[0]
		if !owned[top] {
			u.Size = st.sizes[top]
		} else {
			u.Shared = st.sizes[top]
		}
		owned[top] = true
		u.Shared += st.sizeOf(it.layers[1:])
		all = append(all, u)
	}
	rest := provider.Use{Kind: provider.UseCheckpoint, Needed: true}
	for l, size := range st.sizes {
		if !owned[l] {
			rest.Size += size
		}
	}
	if rest.Size > 0 {
		all = append(all, rest)
	}
	return all
}

func (it *item) use() provider.Use {
	u := provider.Use{Kind: it.kind, Name: it.name, Used: it.used, Needed: it.needed}
	if it.kind == provider.UseImage {
		u.Digest = "sha256:" + it.layers[0]
	}
	return u
}

// halfMade returns what is left in the folder of images' layers of those that were
// never finished, or not wholly removed, and layers that nothing leads to. Nobody
// must be making one.
func (s store) halfMade(ctx context.Context, named map[string]int) ([]provider.Use, error) {
	entries, err := os.ReadDir(s.layers())
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the layers of images: %w", err)
	}
	var all []provider.Use
	for _, e := range entries {
		if named[e.Name()] > 0 {
			continue
		}
		size, err := layer.DiskUse(ctx, filepath.Join(s.layers(), e.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, provider.Use{Kind: provider.UseLeftover, Name: "layers/" + e.Name(), Size: size})
	}
	return all, nil
}
