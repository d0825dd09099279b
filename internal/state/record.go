package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrNoRecord means that a box has no record: it was never begun.
var ErrNoRecord = errors.New("no record of the box")

// recordVersion is the format of box.json. A newer one is refused, so that an
// older Berth cannot lose what it does not know.
const recordVersion = 1

// Record is what is known of one box. It is written before the provider is
// asked to make the box, and removed after it has been destroyed.
type Record struct {
	Version   int    `json:"version"`
	ID        string `json:"id"`
	ProjectID string `json:"project_id"`
	Project   string `json:"project"` // name, for people
	Root      string `json:"root"`    // the project's folder when last seen
	Name      string `json:"name"`
	Provider  string `json:"provider"`
	Image     string `json:"image"`
	// ImageDigest is what it was made of; empty when its provider does not tell.
	ImageDigest string    `json:"image_digest,omitempty"`
	Created     time.Time `json:"created"`
	// Checkpoint is the key of what it was made from; empty: its bare image.
	Checkpoint string `json:"checkpoint,omitempty"`
	// Made is false until the provider has made the box. A record without it is
	// what an interrupted up leaves; the next one goes on from there.
	Made bool `json:"made"`

	// ForkOf names the box of the Envfile that it is like, though the Envfile does
	// not declare it; empty: it is none of that kind.
	ForkOf string `json:"fork_of,omitempty"`
	// Restoring names the snapshot whose disk it is getting, until it has it.
	Restoring string `json:"restoring,omitempty"`

	SSH SSH `json:"ssh"`
	// Networks are the box's addresses in private networks, when it was last
	// started.
	Networks []Network `json:"networks,omitempty"`

	// Entered is true once the box could be logged in to since its last start.
	Entered bool `json:"entered,omitempty"`
	// Suspended is true for a box that `berth suspend` has frozen.
	Suspended bool `json:"suspended,omitempty"`
	// Facts are hashes of what the Envfile said when the box was last started, by
	// the names of the arguments.
	Facts map[string]string `json:"facts,omitempty"`

	// Provisioned is true once all steps have run; from then on only `berth
	// provision` runs those that are new or changed.
	Provisioned bool   `json:"provisioned"`
	Steps       []Step `json:"steps,omitempty"`
}

// SSH is how the box is entered.
type SSH struct {
	Addr    string `json:"addr"` // host:port, when it was last started
	User    string `json:"user"`
	HostKey string `json:"host_key"` // public, as in authorized_keys
}

// Network is a box's place in a private network.
type Network struct {
	Name string `json:"name"`
	IP   string `json:"ip"` // with the prefix length
}

// StepStatus is how a step went.
type StepStatus string

// The statuses. A step that has none is pending.
const (
	StepRunning StepStatus = "running" // or berth was interrupted in it, or died
	StepDone    StepStatus = "done"
	StepFailed  StepStatus = "failed"
)

// Step is the outcome of one provisioner block.
type Step struct {
	ID   string `json:"id"`
	Hash string `json:"hash"` // of its arguments and the files it reads, as it last ran
	// Parts are short hashes of each argument and file, to tell what has changed.
	Parts  map[string]string `json:"parts,omitempty"`
	Status StepStatus        `json:"status"`
	At     time.Time         `json:"at"`
	Error  string            `json:"error,omitempty"`
}

// Step returns the outcome of a step, or nil when it has not run.
func (r *Record) Step(id string) *Step {
	for i := range r.Steps {
		if r.Steps[i].ID == id {
			return &r.Steps[i]
		}
	}
	return nil
}

// SetStep records the outcome of a step.
func (r *Record) SetStep(s Step) {
	if old := r.Step(s.ID); old != nil {
		*old = s
		return
	}
	r.Steps = append(r.Steps, s)
}

// BoxID returns the id of a box: that of its record, else a new one made of
// names for people and a hash that only this box of this project has. The hash
// alone decides, so a project can change its name.
func (h *Home) BoxID(projectID, project, box string) (string, error) {
	sum := sha256.Sum256([]byte(projectID + "/" + box))
	suffix := "-" + hex.EncodeToString(sum[:4])
	entries, err := os.ReadDir(h.boxes())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("list boxes: %w", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			return e.Name(), nil
		}
	}
	const longest = 20 // with a box's name of 30 it keeps the id within 60 bytes
	return strings.TrimRight(project[:min(len(project), longest)], "-") + "-" + box + suffix, nil
}

// Load returns the record of a box, or ErrNoRecord.
func (h *Home) Load(id string) (*Record, error) {
	var r Record
	err := readJSON(filepath.Join(h.boxDir(id), "box.json"), &r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("box %s: %w", id, ErrNoRecord)
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of box %s: %w", id, err)
	}
	if r.Version > recordVersion {
		return nil, fmt.Errorf("box %s was made by a newer Berth (record version %d, this one knows %d): update Berth",
			id, r.Version, recordVersion)
	}
	return &r, nil
}

// Save writes the record. The box's lock must be held.
func (h *Home) Save(r *Record) error {
	r.Version = recordVersion
	if err := h.writeJSON(h.boxDir(r.ID), "box.json", r); err != nil {
		return fmt.Errorf("write the record of box %s: %w", r.ID, err)
	}
	return nil
}

// Remove forgets a box, its keys and its lock. The box's lock must be held.
func (h *Home) Remove(id string) error {
	// The record goes first: without it the rest means nothing.
	if err := os.Remove(filepath.Join(h.boxDir(id), "box.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the record of box %s: %w", id, err)
	}
	if err := os.RemoveAll(h.boxDir(id)); err != nil {
		return fmt.Errorf("remove the files of box %s: %w", id, err)
	}
	return nil
}

// Records returns the records of a project's boxes, those of all projects when
// projectID is empty, in the order in which they were made.
func (h *Home) Records(projectID string) ([]*Record, error) {
	entries, err := os.ReadDir(h.boxes())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list boxes: %w", err)
	}
	var all []*Record
	for _, e := range entries {
		r, err := h.Load(e.Name())
		if errors.Is(err, ErrNoRecord) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if projectID == "" || r.ProjectID == projectID {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b *Record) int { return a.Created.Compare(b.Created) })
	return all, nil
}
