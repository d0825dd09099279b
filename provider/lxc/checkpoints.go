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

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// What is kept of boxes:
//
//	checkpoints/KEY.json          a checkpoint: which layers it is made of
//	checkpoints/layers/kept-*     their trees, each what one box had beyond the layers beneath; .new-* while they are made
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

// sum tells a layer as it was made from one that has been damaged.
type sum struct {
	Size int64  `json:"size"` // bytes
	Sum  string `json:"sum"`  // of names, types, ids, modes, sizes and times
}

// newLayer makes a folder for a layer.
func (s store) newLayer() (*layerDir, error) {
	if err := os.MkdirAll(s.keptLayers(), 0o700); err != nil {
		return nil, err
	}
	unlock, err := s.lockKept() // so that no sweep comes before our own lock
	if err != nil {
		return nil, err
	}
	defer unlock()
	_ = s.sweepKept() // the next one tries again
	path, err := os.MkdirTemp(s.keptLayers(), ".new-*")
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &layerDir{name: keptLayer + strings.TrimPrefix(filepath.Base(path), ".new-"), path: path, f: f}, nil
}

// finishLayer gives the layer its final name, once it is on the disk.
func (s store) finishLayer(ctx context.Context, l *layerDir, size int64) error {
	got, err := metadataSum(ctx, l.path)
	if err != nil {
		return err
	}
	if err := writeJSON(s.sumFile(l.name), sum{Size: size, Sum: got}); err != nil {
		return err
	}
	if err := syncTree(l.path); err != nil {
		return err
	}
	final := filepath.Join(s.keptLayers(), l.name)
	if err := os.Rename(l.path, final); err != nil {
		return err
	}
	l.path = final
	return nil
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
	for _, l := range c.Layers[:len(c.Layers)-1] {
		var want sum
		err := readRecord(s.sumFile(l), &want)
		got := ""
		if err == nil {
			got, err = metadataSum(ctx, s.layer(l))
		}
		if ctx.Err() != nil {
			return c, ctx.Err()
		}
		if err != nil || got != want.Sum {
			return c, fmt.Errorf("%w: the layer %s of %s is damaged: it is not what was written", provider.ErrNoCheckpoint, s.layer(l), key)
		}
	}
	return c, nil
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
	defer unlock()
	err = os.Remove(p.store.checkpointFile(key))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", provider.ErrNoCheckpoint, key)
	}
	return errors.Join(err, p.store.sweepKept())
}

// users counts the checkpoints and boxes that need each layer.
func (s store) users() (map[string]int, error) {
	used := map[string]int{}
	all, err := s.listCheckpoints()
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		for _, l := range c.Layers {
			used[l]++
		}
	}
	boxes, err := s.records()
	if err != nil {
		return nil, err // what it names must not be removed
	}
	for _, r := range boxes {
		for _, l := range append(slices.Clone(r.Layers), r.Restoring...) {
			used[l]++
		}
	}
	return used, nil
}

// sweepKept removes layers that nothing names and those that were never
// finished. The lock must be held.
func (s store) sweepKept() error {
	entries, err := os.ReadDir(s.keptLayers())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the layers of checkpoints: %w", err)
	}
	used, err := s.users()
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		name := e.Name()
		if used[strings.TrimSuffix(name, ".sum")] > 0 {
			continue
		}
		path := filepath.Join(s.keptLayers(), name)
		switch {
		case strings.HasSuffix(name, ".sum"):
			// Its layer may be about to get its name.
			if exists(s.layer(strings.TrimSuffix(name, ".sum"))) || exists(filepath.Join(s.keptLayers(), newName(name))) {
				continue
			}
			if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) { // it went with its layer
				errs = append(errs, err)
			}
		default:
			unlock, free, err := tryLockDir(path)
			if err != nil || !free {
				continue // it is being made
			}
			errs = append(errs, os.RemoveAll(path))
			unlock()
			_ = os.Remove(s.sumFile(name)) // there may be none
		}
	}
	return errors.Join(errs...)
}

// newName is the name that a layer has before its final one.
func newName(sum string) string {
	return ".new-" + strings.TrimPrefix(strings.TrimSuffix(sum, ".sum"), keptLayer)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// tryLockDir locks a folder itself, which keeps its lock under any name.
func tryLockDir(path string) (unlock func(), free bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = nil
		}
		return nil, false, err
	}
	return func() { f.Close() }, true, nil
}
