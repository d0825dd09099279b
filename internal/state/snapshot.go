package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Snapshot is a disk of a box that the user has kept, with what is known of the
// box at that time: boxes/ID/snapshots/NAME.json. It goes with the box.
type Snapshot struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	Key     string `json:"key"` // of the provider's checkpoint
	Image   string `json:"image"`
	// Whole is false until the provider has it, and from when it is to go.
	Whole   bool      `json:"whole"`
	Created time.Time `json:"created"`
	// Before names the snapshot that was restored when this one was kept of what
	// there was before; empty: the user made it.
	Before string `json:"before,omitempty"`

	Provisioned bool   `json:"provisioned"`
	Steps       []Step `json:"steps,omitempty"`
}

func (h *Home) snapshots(id string) string { return filepath.Join(h.boxDir(id), "snapshots") }

// Snapshots returns a box's snapshots, the oldest first, those that are not whole
// among them.
func (h *Home) Snapshots(id string) ([]Snapshot, error) {
	entries, err := os.ReadDir(h.snapshots(id))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the snapshots of box %s: %w", id, err)
	}
	var all []Snapshot
	for _, e := range entries {
		path := filepath.Join(h.snapshots(id), e.Name())
		if !strings.HasSuffix(e.Name(), ".json") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		var s Snapshot
		if err := readJSON(path, &s); err != nil {
			return nil, fmt.Errorf("list the snapshots of box %s: %w", id, err)
		}
		if s.Version > recordVersion {
			return nil, fmt.Errorf("snapshot %s of box %s was made by a newer Berth: update Berth", s.Name, id)
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b Snapshot) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// SaveSnapshot writes the record of a snapshot, whose name can be that of a file.
// The box's lock must be held.
func (h *Home) SaveSnapshot(id string, s Snapshot) error {
	s.Version = recordVersion
	if err := h.writeJSON(h.snapshots(id), s.Name+".json", s); err != nil {
		return fmt.Errorf("write the record of snapshot %s: %w", s.Name, err)
	}
	return nil
}

// RemoveSnapshot forgets a snapshot. The box's lock must be held.
func (h *Home) RemoveSnapshot(id, name string) error {
	err := os.Remove(filepath.Join(h.snapshots(id), name+".json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the record of snapshot %s: %w", name, err)
	}
	return nil
}
