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
	gone, _ := s.claimKept() // the next one tries again
	defer sweep(gone)
	defer unlock() // before they go
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
	gone, err := s.claimKept()
	return errors.Join(err, removeAll(gone))
}

// sweepKeptThen does so without the lock, which it lets go by unlock: others that
// make boxes and checkpoints wait for it.
func (s store) sweepKeptThen(unlock func()) error {
	gone, err := s.claimKept()
	unlock()
	return errors.Join(err, removeAll(gone))
}

// claimKept takes what is to be removed. It has other names then, so nobody takes
// it for what it was. The lock must be held.
func (s store) claimKept() ([]*goneDir, error) {
	entries, err := os.ReadDir(s.keptLayers())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the layers of checkpoints: %w", err)
	}
	used, err := s.users()
	if err != nil {
		return nil, err
	}
	var all []*goneDir
	var errs []error
	for _, e := range entries {
		if !e.IsDir() || used[e.Name()] > 0 {
			continue
		}
		gone, err := s.claimLayer(e.Name())
		errs = append(errs, err)
		if gone != nil {
			all = append(all, gone)
		}
	}
	for _, e := range entries { // which layers are there is known now
		if !e.IsDir() {
			errs = append(errs, s.dropSum(e.Name()))
		}
	}
	return all, errors.Join(errs...)
}

// dropSum removes the sum of a layer that is not there, also one that was never
// wholly written: renameio puts something before and after its name.
func (s store) dropSum(name string) error {
	of, _, _ := strings.Cut(strings.TrimPrefix(name, "."), ".sum")
	// Its layer may be getting its name just now: this order does not miss it.
	if exists(filepath.Join(s.keptLayers(), newName(of))) || exists(s.layer(of)) {
		return nil
	}
	if err := os.Remove(filepath.Join(s.keptLayers(), name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// claimLayer takes a layer, with its sum; nil: it is being made, read or removed.
func (s store) claimLayer(name string) (*goneDir, error) {
	path := filepath.Join(s.keptLayers(), name)
	gone, err := openGone(path)
	if err != nil || gone == nil {
		return nil, nil
	}
	_ = os.Remove(s.sumFile(name)) // first, as nobody finds it by the new name; there may be none
	if !strings.HasPrefix(name, goneName) {
		gone.path = filepath.Join(s.keptLayers(), goneName+name)
		if err := os.Rename(path, gone.path); err != nil {
			gone.f.Close()
			return nil, fmt.Errorf("remove the layer %s: %w", path, err)
		}
	}
	return gone, nil
}

// newName is the name that a layer has before its final one.
func newName(layer string) string { return ".new-" + strings.TrimPrefix(layer, keptLayer) }

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
