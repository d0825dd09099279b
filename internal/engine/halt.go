package engine

import (
	"context"
	"errors"
	"fmt"
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

// Existing returns the boxes of these names that have records, all of them
// without names, in the order in which they are taken down: the reverse of how
// they come up, after those that the Envfile does not declare any more. A name
// that neither the Envfile nor a record has is an error.
func (e *Engine) Existing(names []string) ([]*Existing, error) {
	var records []*state.Record
	if e.Project.ID != "" {
		var err error
		if records, err = e.Home.Records(e.Project.ID); err != nil {
			return nil, err
		}
	}
	for _, n := range names {
		if e.Envfile.Box(n) == nil && !slices.ContainsFunc(records, func(r *state.Record) bool { return r.Name == n }) {
			return nil, &UnknownBoxError{Name: n, Known: boxNames(e.Envfile)}
		}
	}
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
		return len(names) > 0 && !slices.Contains(names, x.record.Name)
	}), nil
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

// Halt stops boxes, by force at once or after the time that the Envfile gives
// each. It goes on after a failure and returns all of them.
func (e *Engine) Halt(ctx context.Context, boxes []*Existing, force bool) error {
	var errs []error
	for _, x := range boxes {
		if err := e.halt(ctx, x, force); err != nil {
			errs = append(errs, fmt.Errorf("halt %s: %w", x.Name(), err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if len(boxes) > 0 {
		e.tell(ctx, boxes[0].voice)
	}
	return errors.Join(errs...)
}

func (e *Engine) halt(ctx context.Context, x *Existing, force bool) error {
	p, err := e.provider(ctx, x)
	if err != nil {
		return err
	}
	unlock, err := e.Home.Lock(x.record.ID, e.Command)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := p.Inspect(ctx, x.record.ID)
	switch {
	case errors.Is(err, provider.ErrNotFound):
		x.voice.Say("does not exist")
		return nil
	case err != nil:
		return err
	case now.State == provider.Stopped:
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
	how := "halted"
	if took := time.Since(begin); grace > 0 && took >= grace {
		how = "stopped by force, since it did not halt,"
	}
	x.voice.Say("%s after %s", how, time.Since(begin).Round(10*time.Millisecond))
	return nil
}

// Destroy removes a box with everything that it has on the host.
func (e *Engine) Destroy(ctx context.Context, x *Existing) error {
	p, err := e.provider(ctx, x)
	if err != nil {
		return fmt.Errorf("destroy %s: %w", x.Name(), err)
	}
	unlock, err := e.Home.Lock(x.record.ID, e.Command)
	if err != nil {
		return fmt.Errorf("destroy %s: %w", x.Name(), err)
	}
	defer unlock()
	x.voice.Stage("destroying")
	t := &target{voice: x.voice}
	if err := p.Destroy(ctx, x.record.ID, t.report()); err != nil && !errors.Is(err, provider.ErrNotFound) {
		return fmt.Errorf("destroy %s: %w", x.Name(), err)
	}
	if err := e.forget(x.record); err != nil {
		return err
	}
	e.tell(ctx, x.voice)
	x.voice.Say("destroyed")
	return nil
}
