package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/forward"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// inspectTimeout bounds what a provider may take to say how a box is: an answer
// that does not come is no reason for status to hang.
const inspectTimeout = 5 * time.Second

// NotCreated is the state of a box that does not exist.
const NotCreated provider.State = "not created"

// Status is how one box is.
type Status struct {
	Name     string
	Provider string
	Image    string
	State    provider.State
	Problem  string        // why State is unknown, or what is wrong with the box
	Declared bool          // false: the Envfile does not declare it (any more), as far as that could be read
	ForkOf   string        // the box that it is a fork of; empty: none
	Record   *state.Record // nil: it has none
	Box      provider.Box  // zero unless it exists
	Ports    PortsOf       // what is forwarded
}

// Status returns how boxes are, in the Envfile's order, then those with records
// that it does not declare. It takes no lock, unless a forwarder has died.
func (e *Engine) Status(ctx context.Context, names []string) ([]Status, error) {
	records, wanted, err := e.known(names)
	if err != nil {
		return nil, err
	}
	boxes := e.existing(records, wanted)
	byName := map[string]*Existing{}
	for _, x := range boxes {
		byName[x.Name()] = x
	}
	var all []Status
	for _, b := range e.Envfile.Boxes {
		if wanted(b.Name) {
			all = append(all, Status{Name: b.Name, Provider: b.Provider.Name, Image: b.Image, State: NotCreated, Declared: true})
		}
	}
	for _, x := range boxes {
		if x.box == nil {
			all = append(all, Status{Name: x.Name(), State: provider.Unknown, Declared: e.Unread})
		}
	}
	var wg sync.WaitGroup
	for i := range all {
		if x := byName[all[i].Name]; x != nil {
			wg.Go(func() {
				e.inspect(ctx, x, &all[i])
				if all[i].State == provider.Running && e.heal(ctx, x) {
					all[i].Ports, _ = e.portsOf(x)
				}
				all[i].noteForwards()
			})
		}
	}
	wg.Wait()
	return all, ctx.Err()
}

// inspect fills in what the provider and the record say of a box.
func (e *Engine) inspect(ctx context.Context, x *Existing, s *Status) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	s.Record, s.Provider, s.Image = x.record, x.record.Provider, x.record.Image
	s.ForkOf = x.record.ForkOf
	s.Ports, _ = e.portsOf(x) // berth port says what is wrong with them
	p, err := e.provider(ctx, x)
	if err == nil {
		s.Box, err = p.Inspect(ctx, x.record.ID)
	}
	switch {
	case errors.Is(err, provider.ErrNotFound):
		s.State = NotCreated
		if x.record.Made {
			s.Problem = "it is gone, though it was not destroyed with berth"
		}
	case err != nil:
		s.State, s.Problem = provider.Unknown, err.Error()
	default:
		s.State = s.Box.State
	}
	if s.Problem == "" {
		s.Problem = e.unfinished(x)
	}
}

// noteForwards tells of forwards that are down.
func (s *Status) noteForwards() {
	if s.Problem == "" && s.State == provider.Running && s.Ports.State == forward.Down && len(s.Ports.Ports) > 0 {
		s.Problem = "its forwards are down"
	}
}

// unfinished tells what an interrupted or failed command has left to do.
func (e *Engine) unfinished(x *Existing) string {
	if !x.record.Made {
		return "its creation was interrupted: berth up finishes it, berth destroy removes it"
	}
	if x.record.Restoring != "" {
		return "its restore of snapshot " + x.record.Restoring + " was interrupted: berth up finishes it"
	}
	for _, s := range x.record.Steps {
		if !x.runs(s.ID) {
			continue
		}
		switch s.Status {
		case state.StepFailed:
			return "step " + s.ID + " failed: berth up goes on from there"
		case state.StepRunning:
			return "step " + s.ID + " is running or was interrupted"
		}
	}
	return ""
}

// runs reports whether up runs a step, as far as the Envfile is known: not one that
// it has lost, or that only runs when it is asked for.
func (x *Existing) runs(id string) bool {
	return x.box == nil || slices.ContainsFunc(x.box.Provisioners, func(p *config.Provisioner) bool {
		return p.ID() == id && p.Run != "never"
	})
}
