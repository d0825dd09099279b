package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// RestoreOptions say how SnapshotRestore goes about it.
type RestoreOptions struct {
	NoSafety bool // do not keep what there is
	NoStart  bool // leave the box stopped
	Delete   bool // remove the snapshot at the end
}

// SnapshotRestore gives a box the disk of a snapshot, and what was known of its
// steps then. A box that ran is stopped before and started after. What there was
// is kept as a snapshot of its own, unless that is not wanted.
func (e *Engine) SnapshotRestore(ctx context.Context, x *Existing, name string, o RestoreOptions) error {
	t, err := e.targetOf(ctx, x)
	if err != nil {
		return err
	}
	running := false
	err = e.existingBox(ctx, x, func(_ provider.Provider, c provider.Checkpointer, now provider.Box) error {
		t.record = x.record
		s, err := e.snapshot(x, name)
		if err != nil {
			return err
		}
		running = now.State == provider.Running || now.State == provider.Frozen
		if !o.NoSafety {
			safety := state.Snapshot{Before: name}
			if safety.Name, err = e.freeName(x, kept); err != nil {
				return err
			}
			if err := e.saveSnapshot(ctx, x, c, safety); err != nil {
				return fmt.Errorf("keep what there is before the restore (--no-safety does without): %w", err)
			}
		}
		t.record.Restoring = name
		if err := e.Home.Save(t.record); err != nil {
			return err
		}
		return e.restore(ctx, t, s)
	})
	if err != nil {
		return fmt.Errorf("restore %s: %w", x.Name(), err)
	}
	if running && !o.NoStart {
		err = e.Up(ctx, []*config.Box{x.box}, UpOptions{Keep: true})
	}
	if err == nil && o.Delete {
		err = e.SnapshotDelete(ctx, x, name)
	}
	return err
}

// targetOf returns an existing box as a target.
func (e *Engine) targetOf(ctx context.Context, x *Existing) (*target, error) {
	if x.box == nil {
		return nil, fmt.Errorf("the Envfile does not declare box %q any more: declare it again, since it says how the box is set up", x.Name())
	}
	targets, err := e.prepare(ctx, []*config.Box{x.box}, true)
	if err != nil {
		return nil, err
	}
	return targets[0], nil
}

// restore does what the record says is to be done. The box's lock must be held.
func (e *Engine) restore(ctx context.Context, t *target, s state.Snapshot) error {
	keys, err := e.Home.EnsureKeys(t.id)
	if err != nil {
		return err
	}
	t.voice.Stage("restoring " + s.Name)
	if err := e.endForwards(ctx, t.id, false); err != nil {
		return err
	}
	// At once: what it would still write is given up.
	if err := t.plugin.Stop(ctx, t.id, 0, t.report()); err != nil {
		return err
	}
	e.haltedForwards(t.id, t.voice)
	if err := t.plugin.(provider.Checkpointer).Restore(ctx, e.spec(t, keys), s.Key, t.report()); err != nil {
		if errors.Is(err, provider.ErrNoCheckpoint) { // nothing has happened to the box
			t.record.Restoring = ""
			err = errors.Join(err, e.Home.Save(t.record))
		}
		return err
	}
	r := t.record
	r.Restoring, r.Suspended = "", false
	r.Provisioned, r.Steps = s.Provisioned, s.Steps
	if err := e.Home.Save(r); err != nil {
		return err
	}
	t.voice.Say("restored from snapshot %s", s.Name)
	return nil
}

// finishRestore finishes a restore that was interrupted, and reports whether
// there was one.
func (e *Engine) finishRestore(ctx context.Context, t *target) (bool, error) {
	name := t.record.Restoring
	if name == "" {
		return false, nil
	}
	s, err := e.snapshot(&Existing{record: t.record}, name)
	if err != nil { // it is as it is, and it is not kept from going on
		t.voice.Warn("its restore was interrupted and cannot be finished: %s", err.Error())
		t.record.Restoring = ""
		return false, e.Home.Save(t.record)
	}
	t.voice.Say("finishing the restore of snapshot %s, which was interrupted", name)
	return true, e.restore(ctx, t, s)
}
