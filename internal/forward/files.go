package forward

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Dir is the folder of a box in which its forwarder's files are:
//
//	forwards.json     what was asked for; written before anything is begun
//	forwarder.lock    locked by the forwarder as long as it lives; holds its number
//	forwarder.json    what is in force, while it is locked
//	forwarder.log
type Dir string

func (d Dir) file(name string) string { return filepath.Join(string(d), name) }
func (d Dir) plan() string            { return d.file("forwards.json") }
func (d Dir) lock() string            { return d.file("forwarder.lock") }
func (d Dir) live() string            { return d.file("forwarder.json") }

// LogPath is where the forwarder writes what it meets.
func (d Dir) LogPath() string { return d.file("forwarder.log") }

// planVersion is the format of forwards.json.
const planVersion = 1

// Plan is what was asked for, as recorded.
type Plan struct {
	Version int    `json:"version"`
	Rules   []Rule `json:"rules,omitempty"`
	Auto    bool   `json:"auto,omitempty"`
	Addr    string `json:"addr"`             // of the box, as the forwarder was told
	Halted  bool   `json:"halted,omitempty"` // the forwarder was ended, as the box was
}

// Empty reports whether nothing is forwarded.
func (p *Plan) Empty() bool { return len(p.Rules) == 0 && !p.Auto }

// LoadPlan returns what was recorded, an empty plan if nothing.
func (d Dir) LoadPlan() (*Plan, error) {
	p := &Plan{}
	err := readJSON(d.plan(), p)
	if err == nil && p.Version > planVersion {
		err = fmt.Errorf("%s was written by a newer Berth (version %d, this one knows %d): update Berth", d.plan(), p.Version, planVersion)
	}
	return p, err
}

// SavePlan records what is asked for.
func (d Dir) SavePlan(p *Plan) error {
	p.Version = planVersion
	return writeJSON(d.plan(), p)
}

// Port is a forward as it is.
type Port struct {
	Rule
	Problem string `json:"problem,omitempty"` // why it does not work
}

// live is what a forwarder has in force.
type live struct {
	Lost  bool   `json:"lost"` // the connection to the box
	Ports []Port `json:"ports"`
}

// State is how the forwards of a box are.
type State string

// The states.
const (
	Up      State = "up"
	Waiting State = "waiting" // the forwarder has lost its connection to the box
	Down    State = "down"    // it has died, or was never started
	Halted  State = "halted"  // the box was halted
)

// Ports returns the forwards of a box, and how they are. It takes no lock.
func (d Dir) Ports() ([]Port, State, error) {
	plan, err := d.LoadPlan()
	if err != nil || plan.Empty() {
		return nil, Down, err
	}
	alive, err := d.Alive()
	if err != nil {
		return nil, Down, err
	}
	var l live
	if alive {
		if err := readJSON(d.live(), &l); err != nil {
			return nil, Down, err
		}
	}
	switch {
	case alive && l.Lost:
		return l.Ports, Waiting, nil
	case alive && l.Ports != nil:
		return l.Ports, Up, nil
	}
	for _, r := range plan.Rules {
		l.Ports = append(l.Ports, Port{Rule: r})
	}
	switch {
	case alive: // it is only beginning, and its ports take connections already
		return l.Ports, Up, nil
	case plan.Halted:
		return l.Ports, Halted, nil
	}
	return l.Ports, Down, nil
}

// Died reports whether a forwarder is to live, as far as is recorded, and does not.
func (d Dir) Died() (bool, error) {
	plan, err := d.LoadPlan()
	if err != nil || plan.Empty() || plan.Halted {
		return false, err
	}
	alive, err := d.Alive()
	return !alive && err == nil, err
}

// Ended notes that the forwarder has ended, after Stop, and whether its box was
// halted.
func (d Dir) Ended(halted bool) error {
	plan, err := d.LoadPlan()
	switch {
	case err != nil: // what cannot be read must keep nobody from halting the box
		return d.Clear()
	case plan.Empty():
		return nil
	}
	if err := plan.removePaths(); err != nil {
		return err
	}
	plan.Halted = halted
	return d.SavePlan(plan)
}

// Clear removes the files of a box that forwards nothing any more, and the sockets
// that a killed forwarder left. The forwarder must have ended.
func (d Dir) Clear() error {
	plan, err := d.LoadPlan()
	if err != nil { // nothing is known of sockets, then
		plan = &Plan{}
	}
	err = plan.removePaths()
	for _, path := range []string{d.live(), d.LogPath(), d.lock(), d.plan()} {
		if e := os.Remove(path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("remove forwards: %w", e))
		}
	}
	return err
}

// removePaths removes the sockets that a forwarder left which did not end in order.
func (p *Plan) removePaths() error {
	var errs []error
	for _, r := range p.Rules {
		if isSocket(r.Host) && !r.Reverse {
			errs = append(errs, RemovePath(r.Host))
		}
	}
	return errors.Join(errs...)
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read forwards: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read forwards: %s is damaged (berth halt removes it): %w", path, err)
	}
	return nil
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write forwards: %w", err)
	}
	return nil
}
