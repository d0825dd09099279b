package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/berth-dev/berth/internal/forward"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/provider"
)

// heal starts the forwarders of running boxes again that have died. Any command
// that has to do with a box does so; what keeps one from it is told, and is no
// failure of the command. A box that another command is changing is left to that.
// It reports whether it has started any.
func (e *Engine) heal(ctx context.Context, boxes ...*Existing) (healed bool) {
	for _, x := range boxes {
		dir := forward.Dir(e.Home.BoxDir(x.record.ID))
		if died, err := dir.Died(); err != nil || !died { // berth port says what is wrong with its files
			continue
		}
		started, err := e.healOne(ctx, x)
		var locked *state.LockedError
		if err != nil && !errors.As(err, &locked) && ctx.Err() == nil {
			x.voice.Warn("its forwards are down, and could not be started again: %v", err)
		}
		healed = healed || started
	}
	return healed
}

// healOne starts the forwarder of a box that runs. It has the lock for as long as
// that takes, and does not wait for what is reversed.
func (e *Engine) healOne(ctx context.Context, x *Existing) (started bool, err error) {
	err = e.lockedBy(ctx, x, e.Home.LockBriefly, func(p provider.Provider) (err error) {
		if x.record, err = e.Home.Load(x.record.ID); err != nil {
			return err
		}
		now, err := p.Inspect(ctx, x.record.ID)
		if err != nil || now.State != provider.Running || !x.record.Made {
			return err
		}
		err = e.healForwards(ctx, x, false)
		started = err == nil
		return err
	})
	return started, err
}

// healForwards starts the forwarder of a running box again if it has died, with
// what is on record: the Envfile may say something else by now, which is for up.
// The box's lock must be held. wait says whether what is reversed is waited for.
func (e *Engine) healForwards(ctx context.Context, x *Existing, wait bool) error {
	dir := forward.Dir(e.Home.BoxDir(x.record.ID))
	plan, err := dir.LoadPlan()
	if err != nil || plan.Empty() {
		return err
	}
	if alive, err := dir.Alive(); err != nil || alive {
		return err
	}
	x.voice.Say("its forwarder has died: starting it again")
	f := &forwards{dir: dir, rules: plan.Rules, auto: plan.Auto, before: plan, hasty: !wait, sockets: map[string]*forward.Socket{}}
	defer f.close()
	if err := dir.Ended(plan.Halted); err != nil {
		return err
	}
	t := &target{box: x.box, id: x.record.ID, voice: x.voice, record: x.record}
	if err := e.bindAll(t, f, func(forward.Rule) bool { return true }); err != nil {
		return err
	}
	return e.startForwards(ctx, t, f)
}

// endForwards ends a box's forwarder before the box is halted, or before it is
// destroyed, when nothing of it must stay. If it is not halted then, the next
// command heals it.
func (e *Engine) endForwards(ctx context.Context, id string, destroyed bool) error {
	dir := forward.Dir(e.Home.BoxDir(id))
	if err := dir.Stop(ctx); err != nil {
		return err
	}
	if destroyed {
		return dir.Clear()
	}
	return dir.Ended(false)
}

// haltedForwards notes that a box whose forwarder has ended is halted, so that
// nobody takes that one for dead. A disk without room for it is no reason for a
// halt to fail.
func (e *Engine) haltedForwards(id string, voice *ui.Box) {
	if err := forward.Dir(e.Home.BoxDir(id)).Ended(true); err != nil {
		voice.Warn("that its forwards have ended could not be noted: %v", err)
	}
}

// PortsOf is what is forwarded to and from a box.
type PortsOf struct {
	Box   string
	State forward.State
	Ports []forward.Port
}

// Ports returns the forwards of boxes, of all that exist without names. It asks
// nobody and takes no lock, unless a forwarder has died.
func (e *Engine) Ports(ctx context.Context, names []string) ([]PortsOf, error) {
	boxes, err := e.Existing(names)
	if err != nil {
		return nil, err
	}
	e.heal(ctx, boxes...)
	var all []PortsOf
	var errs []error
	for _, x := range slices.Backward(boxes) { // as they came up
		ports, err := e.portsOf(x)
		errs = append(errs, err)
		all = append(all, ports)
	}
	return all, errors.Join(errs...)
}

func (e *Engine) portsOf(x *Existing) (PortsOf, error) {
	ports, state, err := forward.Dir(e.Home.BoxDir(x.record.ID)).Ports()
	return PortsOf{Box: x.Name(), State: state, Ports: ports}, err
}
