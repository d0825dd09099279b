package lxc

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"

	"github.com/google/renameio/v2"

	"github.com/berth-dev/berth/provider/lxc/layer"
)

// kept is what the last checkpoint of a box has of its upper folder:
// boxes/ID/kept.
type kept struct {
	Base   []string // what the box is made of
	Layers []string // of the checkpoint, topmost first
	// Cutoff is the time from which on a file can have changed, and been kept
	// before that, without its time of change telling.
	Cutoff int64
	Top    *layer.Node
}

// loadKept returns what the last checkpoint has, if its layers are all there and
// it was of the same disk; else nothing, and the next one keeps everything.
func (s store) loadKept(r record) kept {
	none := kept{Layers: r.Layers}
	f, err := os.Open(s.file(r.ID, "kept"))
	if err != nil {
		return none
	}
	defer f.Close()
	var k kept
	if gob.NewDecoder(f).Decode(&k) != nil || k.Top == nil {
		return none
	}
	if !k.goesOn(r.Layers) {
		return none
	}
	for _, l := range k.Layers {
		if _, err := os.Stat(s.layer(l)); err != nil {
			return none
		}
	}
	return k
}

func (s store) saveKept(id string, k kept) error {
	f, err := renameio.NewPendingFile(s.file(id, "kept"))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if err := gob.NewEncoder(f).Encode(k); err != nil {
		return fmt.Errorf("note what the checkpoint has: %w", err)
	}
	return f.CloseAtomicallyReplace()
}

// forgetKept must come before a box gets another disk.
func (s store) forgetKept(id string) error {
	if err := os.Remove(s.file(id, "kept")); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
