package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// create makes the box. Its record is written first, so that whatever happens
// there is something that knows of it. A box that the provider has but that has
// no record, because that was lost, is taken over.
func (e *Engine) create(ctx context.Context, t *target, missing bool, o UpOptions) error {
	e.warnProxy(t)
	keys, err := e.Home.EnsureKeys(t.id)
	if err != nil {
		return err
	}
	begin := []beginning{{}}
	if t.record == nil || missing {
		if t.record != nil && t.record.Made {
			t.voice.Warn("it is gone, though it was not destroyed with berth: it is made anew")
		}
		t.record = &state.Record{
			ID: t.id, ProjectID: e.Project.ID, Project: e.Envfile.Project.Name, Root: e.Envfile.Root,
			Name: t.box.Name, Provider: t.box.Provider.Name, Image: t.box.Image, Created: time.Now().UTC(),
			SSH: state.SSH{User: t.box.SSH.User, HostKey: keys.HostPublic},
		}
		if missing && !o.NoCache {
			begin = append(e.beginnings(ctx, t), begin...)
		}
		t.fresh = missing
	} else if t.record.Checkpoint != "" { // it was interrupted
		begin = []beginning{{t.record.Checkpoint, t.record.Steps}, {}}
	}
	for _, b := range begin {
		if err = e.createFrom(ctx, t, b, keys); !errors.Is(err, provider.ErrNoCheckpoint) {
			break
		}
		if t.record.ForkOf != "" {
			return fmt.Errorf("it is a fork of %s that was never finished: berth destroy %s, and fork again: %w", t.record.ForkOf, t.box.Name, err)
		}
		e.dropCheckpoint(ctx, t, b.key, err)
	}
	if err != nil {
		if !missing { // it was there before, with what is in it
			return blame(t.box, err)
		}
		return e.rollBack(ctx, t, blame(t.box, err))
	}
	e.noteImage(ctx, t)
	t.record.Made = true
	return e.Home.Save(t.record)
}

// createFrom asks the provider for the box. What it starts from is on record
// first: whoever finishes an interrupted creation must know which steps are done.
func (e *Engine) createFrom(ctx context.Context, t *target, b beginning, keys state.Keys) error {
	t.record.Checkpoint, t.record.Steps = b.key, b.steps
	if err := e.Home.Save(t.record); err != nil {
		return err
	}
	from := ""
	if len(b.steps) > 0 {
		from = fmt.Sprintf(", %d of %d steps from checkpoints", len(b.steps), t.ownSteps())
	}
	t.voice.Say("creating from %s%s", t.record.Image, from)
	return t.plugin.Create(ctx, e.spec(t, keys), t.report())
}

// rollBack destroys what this command created and could not finish, and returns
// the error that made it so.
func (e *Engine) rollBack(ctx context.Context, t *target, cause error) error {
	ctx, cancel := cleanup(ctx)
	defer cancel()
	t.voice.Say("removing what was made so far")
	// Asked for again, since the plugin's death may be the cause.
	p, err := e.provider(ctx, &Existing{record: t.record})
	if err == nil {
		err = p.Destroy(ctx, t.id, nil)
	}
	if err != nil && !errors.Is(err, provider.ErrNotFound) {
		return errors.Join(cause, fmt.Errorf("what was made so far could not be removed (berth destroy tries again): %w", err))
	}
	err = e.Home.Remove(t.id)
	e.rounds.fewer.Store(true)
	e.tell(ctx, t.voice)
	return errors.Join(cause, err)
}
