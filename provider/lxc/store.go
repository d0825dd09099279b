package lxc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/berth-dev/berth/provider"
)

// store is the provider's data folder:
//
//	lock                 flock for whoever changes what boxes share
//	use.lock             flock, shared, of whoever is about to use or make images and caches; alone, of who removes them
//	network.json         bridge and subnet of these boxes
//	networks/BRIDGE.json a private network; BRIDGE.lock while it is made or removed
//	images/KEY.json      image name and recipe -> layer
//	layers/DIGEST/       immutable trees; .new-* while they are made, .gone-* while they are removed
//	cache/PROJECT/apt/   packages that the project's boxes share; written by them
//	run/                 locks of LXC's tools, for a user's boxes
//	boxes/               mode 0711 for the boxes' roots; what is in it is private
//	boxes/ID/box.json    the record of a box, written before anything else of it
//	boxes/ID/config      LXC configuration, rewritten at every start
//	boxes/ID/cgroup      of a user's box: the cgroup above its own, as in /proc/PID/cgroup
//	boxes/ID/disk/       upper/ and work/ of its overlay, or disk.ext4 that holds them; disk-new/ while it gets another one
//	boxes/ID/kept        what its last checkpoint has (see keptindex.go)
//	boxes/ID/*.log       console and LXC logs of the last start
//	checkpoints/         disks that are kept (see checkpoints.go)
//	boxes/.gone-*        a destroyed box whose files are being removed; flock of who does that
type store struct{ root string }

func (s store) boxes() string                  { return filepath.Join(s.root, "boxes") }
func (s store) box(id string) string           { return filepath.Join(s.root, "boxes", id) }
func (s store) file(id, name string) string    { return filepath.Join(s.root, "boxes", id, name) }
func (s store) layers() string                 { return filepath.Join(s.root, "layers") }
func (s store) images() string                 { return filepath.Join(s.root, "images") }
func (s store) networkFile() string            { return filepath.Join(s.root, "network.json") }
func (s store) runtime() string                { return filepath.Join(s.root, "run") }
func (s store) lock() (unlock func(), e error) { return flock(filepath.Join(s.root, "lock")) }

// layer returns the folder of a layer, of an image or of a checkpoint.
func (s store) layer(name string) string {
	if strings.HasPrefix(name, keptLayer) {
		return filepath.Join(s.keptLayers(), name)
	}
	return filepath.Join(s.root, "layers", name)
}

// recordVersion is the format of box.json. A newer one is refused.
const recordVersion = 1

// record is what the provider must know of a box between commands. It is also
// the lease of the box's address and id range: they are free exactly when no
// record names them.
type record struct {
	Version int        `json:"version"`
	ID      string     `json:"id"`
	Project string     `json:"project"`
	Name    string     `json:"name"`
	Image   string     `json:"image"`   // as in the Envfile
	Layers  []string   `json:"layers"`  // digests, topmost first
	IDBase  uint32     `json:"id_base"` // host id of the box's root
	Addr    netip.Addr `json:"addr"`
	NICs    []nic      `json:"nics,omitempty"` // eth1 and up, as last started
	Ready   bool       `json:"ready"`          // false: Create has not finished
	// Restoring are the layers of the disk that the box is getting instead of its
	// own; nil: none.
	Restoring []string `json:"restoring,omitempty"`
	// Hostname is the box's host name as last started.
	Hostname string `json:"hostname,omitempty"`
}

// load returns the record of a box, or provider.ErrNotFound.
func (s store) load(id string) (record, error) {
	var r record
	b, err := os.ReadFile(s.file(id, "box.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("box %s: %w", id, provider.ErrNotFound)
	}
	if err != nil {
		return r, fmt.Errorf("read the record of box %s: %w", id, err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("read the record of box %s in %s: %w", id, s.file(id, "box.json"), err)
	}
	if r.Version > recordVersion {
		return r, fmt.Errorf("box %s was made by a newer Berth (record version %d, this one knows %d): update Berth",
			id, r.Version, recordVersion)
	}
	return r, nil
}

// save writes the record so that it is old or new, never half.
func (s store) save(r record) error {
	r.Version = recordVersion
	return writeJSON(s.file(r.ID, "box.json"), r)
}

// records returns all records. One that cannot be read is an error, since its
// leases are not known.
func (s store) records() ([]record, error) {
	entries, err := os.ReadDir(s.boxes())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list boxes: %w", err)
	}
	var all []record
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		r, err := s.load(e.Name())
		if errors.Is(err, provider.ErrNotFound) {
			continue // the folder of a box that never got its record
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// writeJSON replaces path atomically, readable by the owner only.
func writeJSON(path string, v any) error {
	b, err := jsonOf(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return renameio.WriteFile(path, b, 0o600)
}

func jsonOf(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}
