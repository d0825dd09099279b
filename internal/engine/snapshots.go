package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// pushed begins the names of snapshots that push makes, kept those of what there
// was before a restore.
const (
	pushed = "push-"
	kept   = "before-"
)

// newKey returns a key that no checkpoint has.
func newKey(kind string) string {
	var b [12]byte
	rand.Read(b[:]) // never fails, crypto/rand
	return kind + "-" + hex.EncodeToString(b[:])
}

// existingBox calls f as exclusive does, for a box that exists and whose provider
// keeps disks, after finishing what a killed command has left of its snapshots.
func (e *Engine) existingBox(ctx context.Context, x *Existing, f func(p provider.Provider, c provider.Checkpointer, now provider.Box) error) error {
	missing := true
	err := e.exclusive(ctx, x, func(p provider.Provider, now provider.Box) error {
		missing = false
		c, ok := p.(provider.Checkpointer)
		if !ok {
			return fmt.Errorf("its provider keeps no disks: %w", provider.ErrUnsupported)
		}
		if !x.record.Made {
			return errors.New("its creation was interrupted: berth up finishes it")
		}
		if x.record.Restoring != "" {
			return fmt.Errorf("its restore of snapshot %s was interrupted: berth up finishes it", x.record.Restoring)
		}
		if err := e.clearSnapshots(ctx, c, x.record.ID, func(s state.Snapshot) bool { return !s.Whole }); err != nil {
			return err
		}
		return f(p, c, now)
	})
	if err == nil && missing {
		return ErrNotCreated
	}
	return err
}

// clearSnapshots removes snapshots of a box.
func (e *Engine) clearSnapshots(ctx context.Context, c provider.Checkpointer, id string, which func(state.Snapshot) bool) error {
	all, err := e.Home.Snapshots(id)
	if err != nil {
		return err
	}
	for _, s := range all {
		if !which(s) {
			continue
		}
		if s.Whole { // from here on nobody takes it for one
			s.Whole = false
			if err := e.Home.SaveSnapshot(id, s); err != nil {
				return err
			}
		}
		if err := c.RemoveCheckpoint(ctx, s.Key); err != nil && !errors.Is(err, provider.ErrNoCheckpoint) {
			return fmt.Errorf("remove snapshot %s: %w", s.Name, err)
		}
		if err := e.Home.RemoveSnapshot(id, s.Name); err != nil {
			return err
		}
	}
	return nil
}

// SnapshotSave keeps the disk of a box, running or not, under a name.
func (e *Engine) SnapshotSave(ctx context.Context, x *Existing, name string) error {
	if err := config.CheckName(name); err != nil {
		return fmt.Errorf("a snapshot cannot be named %q: %w", name, err)
	}
	return e.existingBox(ctx, x, func(_ provider.Provider, c provider.Checkpointer, _ provider.Box) error {
		if _, err := e.snapshot(x, name); err == nil {
			return fmt.Errorf("box %q has a snapshot %q already: berth snapshot delete %[1]s %[2]s removes it", x.Name(), name)
		}
		return e.saveSnapshot(ctx, x, c, state.Snapshot{Name: name})
	})
}

// saveSnapshot records that there is to be one, has the provider make it, and
// records that there is one.
func (e *Engine) saveSnapshot(ctx context.Context, x *Existing, c provider.Checkpointer, s state.Snapshot) error {
	r := x.record
	s.Key, s.Image, s.Created = newKey("snap"), r.Image, time.Now().UTC()
	s.Provisioned, s.Steps = r.Provisioned, r.Steps
	if err := e.Home.SaveSnapshot(r.ID, s); err != nil {
		return err
	}
	x.voice.Stage("keeping the disk")
	t := &target{voice: x.voice}
	if err := c.Checkpoint(ctx, r.ID, s.Key, t.report()); err != nil {
		ctx, cancel := cleanup(ctx)
		defer cancel()
		return errors.Join(err, e.clearSnapshots(ctx, c, r.ID, func(o state.Snapshot) bool { return o.Key == s.Key }))
	}
	s.Whole = true
	if err := e.Home.SaveSnapshot(r.ID, s); err != nil {
		return err
	}
	x.voice.Say("snapshot %s saved", s.Name)
	return nil
}

// snapshot returns a snapshot of a box.
func (e *Engine) snapshot(x *Existing, name string) (state.Snapshot, error) {
	all, err := e.Snapshots(x)
	if err != nil {
		return state.Snapshot{}, err
	}
	var names []string
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return state.Snapshot{}, fmt.Errorf("box %q has no snapshot %q, nor any other", x.Name(), name)
	}
	return state.Snapshot{}, fmt.Errorf("box %q has no snapshot %q: there are %s", x.Name(), name, quoted(names))
}

// Snapshots returns the snapshots of a box, the oldest first.
func (e *Engine) Snapshots(x *Existing) ([]state.Snapshot, error) {
	all, err := e.Home.Snapshots(x.record.ID)
	return slices.DeleteFunc(all, func(s state.Snapshot) bool { return !s.Whole }), err
}

// SnapshotDelete removes a snapshot.
func (e *Engine) SnapshotDelete(ctx context.Context, x *Existing, name string) error {
	return e.existingBox(ctx, x, func(_ provider.Provider, c provider.Checkpointer, _ provider.Box) error {
		s, err := e.snapshot(x, name)
		if err != nil {
			return err
		}
		if err := e.clearSnapshots(ctx, c, x.record.ID, func(o state.Snapshot) bool { return o.Key == s.Key }); err != nil {
			return err
		}
		x.voice.Say("snapshot %s deleted", name)
		return nil
	})
}

// SnapshotPush saves a snapshot under a name of its own, for pop.
func (e *Engine) SnapshotPush(ctx context.Context, x *Existing) error {
	name, err := e.freeName(x, pushed)
	if err != nil {
		return err
	}
	return e.SnapshotSave(ctx, x, name)
}

// Pushed returns the name of the newest snapshot that push has made.
func (e *Engine) Pushed(x *Existing) (string, error) {
	all, err := e.Snapshots(x)
	if err != nil {
		return "", err
	}
	for _, s := range slices.Backward(all) {
		if strings.HasPrefix(s.Name, pushed) {
			return s.Name, nil
		}
	}
	return "", fmt.Errorf("box %q has nothing to pop: berth snapshot push saves something", x.Name())
}

// freeName returns a name with the time in it that no snapshot has.
func (e *Engine) freeName(x *Existing, prefix string) (string, error) {
	all, err := e.Home.Snapshots(x.record.ID)
	if err != nil {
		return "", err
	}
	base := prefix + time.Now().Format("20060102-150405")
	name := base
	for i := 2; slices.ContainsFunc(all, func(s state.Snapshot) bool { return s.Name == name }); i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	return name, nil
}
