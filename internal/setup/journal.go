package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// journal is what setup has changed, in /etc/berth/setup.json, so that undo takes
// back that and nothing else. Each entry is written before its change is made.
type journal struct {
	path string

	Users map[string]*userChanges `json:"users"`
	// Sysctls holds the values from before, by name.
	Sysctls map[string]string `json:"sysctls,omitempty"`
	// Packages are those that setup installed.
	Packages []string `json:"packages,omitempty"`
	// Files are those that setup made, whole.
	Files map[string]bool `json:"files,omitempty"`
	// Enabled are systemd units.
	Enabled []string `json:"enabled,omitempty"`
}

// userChanges is what setup has changed for one user.
type userChanges struct {
	SubUIDs string `json:"subuids,omitempty"` // "FIRST-LAST"
	SubGIDs string `json:"subgids,omitempty"`
	Linger  bool   `json:"linger,omitempty"`
}

func openJournal(path string) (*journal, error) {
	j := &journal{path: path}
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, j)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what setup has changed so far: %w", err)
	}
	return j, nil
}

// of returns what was changed for a user, to be written to and saved.
func (j *journal) of(user string) *userChanges {
	if j.Users == nil {
		j.Users = map[string]*userChanges{}
	}
	if j.Users[user] == nil {
		j.Users[user] = &userChanges{}
	}
	return j.Users[user]
}

// last reports whether no user but this one is prepared.
func (j *journal) last(user string) bool {
	for name := range j.Users {
		if name != user {
			return false
		}
	}
	return true
}

func (j *journal) save() error {
	b, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(j.path, append(b, '\n'), 0o644)
}

// remove forgets a user, and with the last one the journal.
func (j *journal) remove(user string) error {
	last := j.last(user)
	delete(j.Users, user)
	if !last {
		return j.save()
	}
	if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Remove(filepath.Dir(j.path)) // somebody else may have something there
	return nil
}

// wrote notes that a file is setup's own.
func (j *journal) wrote(path string) error {
	if j.Files == nil {
		j.Files = map[string]bool{}
	}
	j.Files[path] = true
	return j.save()
}

// removeOwn removes a file that setup made.
func (h *host) removeOwn(name string) error {
	if err := os.Remove(h.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	delete(h.done.Files, name)
	return h.done.save()
}
