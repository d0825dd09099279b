package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/provider"
)

// Existing is a box that has a record, whether or not the Envfile still declares
// it.
type Existing struct {
	record *state.Record
	box    *config.Box // nil: not in the Envfile (any more)
	voice  *ui.Box
}

// Existing returns the boxes that names mean (see [Select]) and that have
// records, all of them without names, in the order in which they are taken down:
// the reverse of how they come up, after those that the Envfile does not declare
// any more. A name that means no box of the Envfile or of a record is an error.
func (e *Engine) Existing(names []string) ([]*Existing, error) {
	records, wanted, err := e.known(names)
	if err != nil {
		return nil, err
	}
	return e.existing(records, wanted), nil
}

func (e *Engine) existing(records []*state.Record, wanted func(string) bool) []*Existing {
	var all []*Existing
	for _, b := range inOrder(e.Envfile.Boxes) {
		for _, r := range records {
			if r.Name == b.Name {
				all = append(all, &Existing{record: r, box: b})
			}
		}
	}
	for _, r := range records {
		if e.Envfile.Box(r.Name) == nil {
			all = append(all, &Existing{record: r})
		}
	}
	slices.Reverse(all)
	return slices.DeleteFunc(all, func(x *Existing) bool {
		x.voice = e.UI.Box(x.record.Name)
		return !wanted(x.record.Name)
	})
}

// known returns the project's records, and which boxes names mean.
func (e *Engine) known(names []string) (records []*state.Record, wanted func(string) bool, err error) {
	if e.Project.ID != "" {
		if records, err = e.Home.Records(e.Project.ID); err != nil {
			return nil, nil, err
		}
	}
	recorded := make([]string, len(records))
	for i, r := range records {
		recorded[i] = r.Name
	}
	meant, err := match(e.Envfile, names, recorded)
	return records, func(name string) bool { return len(names) == 0 || meant[name] }, err
}

// Name returns the box's name.
func (x *Existing) Name() string { return x.record.Name }

// provider returns the provider that made the box. What it is told of an
// existing box does not depend on the block's arguments.
func (e *Engine) provider(ctx context.Context, x *Existing) (provider.Provider, error) {
	plugin, err := e.Plugins.Provider(ctx, x.record.Provider)
	if err != nil {
		return nil, err
	}
	return plugin.Bind(nil), nil
}

// downwards does something with boxes, each after those that depend on it. A
// failure keeps no other box.
func (e *Engine) downwards(ctx context.Context, verb string, boxes []*Existing, do func(context.Context, *Existing) error) error {
	byName := map[string]*Existing{}
	var names []string
	for _, x := range boxes {
		byName[x.Name()] = x
		names = append(names, x.Name())
	}
	jobs := downward(e.Envfile, names)
	errs := walk{parallel: e.Parallel, regardless: true}.run(ctx, jobs, func(ctx context.Context, name string) error {
		x := byName[name]
		defer x.voice.Done()
		return do(ctx, x)
	})
	return joined(verb, jobs, errs)
}

// locked calls f with the box's provider and its lock held.
func (e *Engine) locked(ctx context.Context, x *Existing, f func(provider.Provider) error) error {
	return e.lockedBy(ctx, x, e.Home.Lock, f)
}

// lockedBy does so with the lock taken in that way.
func (e *Engine) lockedBy(ctx context.Context, x *Existing, lock func(id, command string, workers []state.Worker) (func(), error), f func(provider.Provider) error) error {
	p, err := e.provider(ctx, x)
	if err != nil {
		return err
	}
	unlock, err := lock(x.record.ID, e.Command, e.workers())
	if err != nil {
		return err
	}
	defer unlock()
	return f(p)
}

// Halt stops boxes, by force at once or after the time that the Envfile gives
// each. It goes on after a failure and returns all of them.
func (e *Engine) Halt(ctx context.Context, boxes []*Existing, force bool) error {
	err := e.downwards(ctx, "halt", boxes, func(ctx context.Context, x *Existing) error {
		return e.locked(ctx, x, func(p provider.Provider) error { return e.halt(ctx, p, x, force) })
	})
	if len(boxes) > 0 {
		e.tell(ctx, boxes[0].voice)
	}
	return err
}

func (e *Engine) halt(ctx context.Context, p provider.Provider, x *Existing, force bool) error {
	if err := e.endForwards(ctx, x.record.ID, false); err != nil {
		x.voice.Warn("its forwards could not be ended in order: %v", err)
	}
	now, err := p.Inspect(ctx, x.record.ID)
	switch {
	case errors.Is(err, provider.ErrNotFound):
		x.voice.Say("does not exist")
		return nil
	case err != nil:
		return err
	case now.State == provider.Stopped:
		e.haltedForwards(x.record.ID, x.voice)
		x.voice.Say("is stopped already")
		return nil
	}
	grace := time.Minute
	if x.box != nil {
		grace = x.box.HaltTimeout
	}
	if force {
		grace = 0
	}
	x.voice.Stage("halting")
	begin := time.Now()
	t := &target{voice: x.voice}
	if err := p.Stop(ctx, x.record.ID, grace, t.report()); err != nil {
		return err
	}
	e.haltedForwards(x.record.ID, x.voice)
	how := "halted"
	if took := time.Since(begin); grace > 0 && took >= grace {
		how = "stopped by force, since it did not halt,"
	}
	x.voice.Say("%s after %s", how, time.Since(begin).Round(10*time.Millisecond))
	return nil
}

// Destroy removes boxes with everything that they have on the host. It goes on
// after a failure and returns all of them.
func (e *Engine) Destroy(ctx context.Context, boxes []*Existing) error {
	err := e.downwards(ctx, "destroy", boxes, func(ctx context.Context, x *Existing) error {
		return e.locked(ctx, x, func(p provider.Provider) error { return e.destroy(ctx, p, x) })
	})
	if e.Project.ID == "" {
		return err
	}
	return errors.Join(err, e.Home.ForgetProject(e.Project.ID)) // if nothing is left of it
}

func (e *Engine) destroy(ctx context.Context, p provider.Provider, x *Existing) error {
	x.voice.Stage("destroying")
	if err := e.endForwards(ctx, x.record.ID, true); err != nil {
		return err
	}
	t := &target{voice: x.voice}
	if err := p.Destroy(ctx, x.record.ID, t.report()); err != nil && !errors.Is(err, provider.ErrNotFound) {
		return err
	}
	if err := e.forgetDisks(ctx, p, x.record); err != nil {
		return err
	}
	if err := e.Home.Remove(x.record.ID); err != nil {
		return err
	}
	e.rounds.fewer.Store(true)
	e.tell(ctx, x.voice)
	x.voice.Say("destroyed")
	return nil
}
