package lxc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/deep"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

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
	got, err := layer.Sum(ctx, l.path)
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
			errs = append(errs, deep.Remove(path))
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
