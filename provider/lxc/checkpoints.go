package lxc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

// What is kept of boxes:
//
//	checkpoints/KEY.json          a checkpoint: which layers it is made of
//	checkpoints/layers/kept-*     their trees, each what one box had beyond the layers beneath; .new-* while they are made, .gone-* while they are removed
//	checkpoints/layers/kept-*.sum what the tree must be like
//
// A layer is there as long as a checkpoint or a box names it.

// keptLayer begins the names of these layers; images' are digests.
const keptLayer = "kept-"

func (s store) checkpoints() string            { return filepath.Join(s.root, "checkpoints") }
func (s store) keptLayers() string             { return filepath.Join(s.root, "checkpoints", "layers") }
func (s store) checkpointFile(k string) string { return filepath.Join(s.checkpoints(), k+".json") }
func (s store) sumFile(layer string) string    { return filepath.Join(s.keptLayers(), layer+".sum") }
func (s store) lockKept() (unlock func(), e error) {
	return flock(filepath.Join(s.checkpoints(), ".lock"))
}

// checkpoint is the record of one.
type checkpoint struct {
	Version int       `json:"version"`
	Key     string    `json:"key"`
	Image   string    `json:"image"`  // name
	Layers  []string  `json:"layers"` // topmost first, the image's last
	Created time.Time `json:"created"`
}

// saveCheckpoint records a checkpoint, if what it is made of is still there.
func (s store) saveCheckpoint(c checkpoint) error {
	unlock, err := s.lockKept()
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.haveLayers(c.Layers); err != nil {
		return err
	}
	c.Version = recordVersion
	return writeJSON(s.checkpointFile(c.Key), c)
}

func (s store) haveLayers(layers []string) error {
	for _, l := range layers {
		if _, err := os.Stat(s.layer(l)); err != nil {
			return fmt.Errorf("%w: its layer %s is gone", provider.ErrNoCheckpoint, l)
		}
	}
	return nil
}

// loadCheckpoint returns a checkpoint whose layers are as they were made.
func (s store) loadCheckpoint(ctx context.Context, key string) (checkpoint, error) {
	var c checkpoint
	if !isKey(key) {
		return c, fmt.Errorf("%w: %q", provider.ErrNoCheckpoint, key)
	}
	if err := readRecord(s.checkpointFile(key), &c); errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("%w: %s", provider.ErrNoCheckpoint, key)
	} else if err != nil {
		return c, fmt.Errorf("%w: %s: %w", provider.ErrNoCheckpoint, key, err)
	}
	if c.Version > recordVersion || len(c.Layers) == 0 {
		return c, fmt.Errorf("%w: %s was made by another version of Berth", provider.ErrNoCheckpoint, key)
	}
	if err := s.haveLayers(c.Layers); err != nil {
		return c, err
	}
	if len(c.Layers) > mostMounted {
		return c, fmt.Errorf("%w: an older Berth made %s of %d layers, and a box can have %d", provider.ErrNoCheckpoint, key, len(c.Layers), mostMounted)
	}
	if err := s.intact(ctx, c.Layers[:len(c.Layers)-1]); err != nil {
		return c, fmt.Errorf("%w (of %s)", err, key)
	}
	return c, nil
}

// intact makes sure that layers of checkpoints are as they were made.
func (s store) intact(ctx context.Context, layers []string) error {
	for _, l := range layers {
		var want sum
		err := readRecord(s.sumFile(l), &want)
		got := ""
		if err == nil {
			got, err = layer.Sum(ctx, s.layer(l))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || got != want.Sum {
			return fmt.Errorf("%w: the layer %s is damaged: it is not what was written", provider.ErrNoCheckpoint, s.layer(l))
		}
	}
	return nil
}

func readRecord(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// listCheckpoints returns all records that can be read.
func (s store) listCheckpoints() ([]checkpoint, error) {
	entries, err := os.ReadDir(s.checkpoints())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	var all []checkpoint
	for _, e := range entries {
		key, ok := strings.CutSuffix(e.Name(), ".json")
		var c checkpoint
		if !ok || !isKey(key) || readRecord(s.checkpointFile(key), &c) != nil || len(c.Layers) == 0 {
			continue
		}
		c.Key = key
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b checkpoint) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// Checkpoints lists those whose layers are there.
func (p *lxcProvider) Checkpoints(ctx context.Context) ([]provider.Checkpoint, error) {
	all, err := p.store.listCheckpoints()
	if err != nil {
		return nil, err
	}
	used, err := p.store.users()
	if err != nil {
		return nil, err
	}
	var list []provider.Checkpoint
	for _, c := range all {
		if p.store.haveLayers(c.Layers) != nil {
			continue
		}
		out := provider.Checkpoint{Key: c.Key, Image: c.Image, Created: c.Created}
		for _, l := range c.Layers[:len(c.Layers)-1] {
			var have sum
			if readRecord(p.store.sumFile(l), &have) != nil {
				continue
			}
			if used[l] > 1 {
				out.Shared += have.Size
			} else {
				out.Size += have.Size
			}
		}
		list = append(list, out)
	}
	return list, ctx.Err()
}

// RemoveCheckpoint removes the record, and the layers that nothing else names.
func (p *lxcProvider) RemoveCheckpoint(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !isKey(key) {
		return fmt.Errorf("%w: %q", provider.ErrNoCheckpoint, key)
	}
	unlock, err := p.store.lockKept()
	if err != nil {
		return err
	}
	err = os.Remove(p.store.checkpointFile(key))
	if errors.Is(err, fs.ErrNotExist) {
		unlock()
		return fmt.Errorf("%w: %s", provider.ErrNoCheckpoint, key)
	}
	return errors.Join(err, p.store.sweepKeptThen(unlock))
}
