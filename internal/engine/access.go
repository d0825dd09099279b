package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/guest"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// Access is how a box is entered, from its record alone: no plugin is started
// and no lock taken, so it is fast and works while another command provisions.
type Access struct {
	Record *state.Record
	Keys   state.Keys
}

// Access returns how a box is entered, or ErrNotCreated.
func (e *Engine) Access(b *config.Box) (Access, error) {
	if e.Project.ID == "" {
		return Access{}, fmt.Errorf("box %q: %w", b.Name, ErrNotCreated)
	}
	id, err := e.Home.BoxID(e.Project.ID, e.Envfile.Project.Name, b.Name)
	if err != nil {
		return Access{}, err
	}
	r, err := e.Home.Load(id)
	if errors.Is(err, state.ErrNoRecord) || err == nil && r.SSH.Addr == "" {
		return Access{}, fmt.Errorf("box %q: %w", b.Name, ErrNotCreated)
	}
	if err != nil {
		return Access{}, err
	}
	keys, err := e.Home.LoadKeys(id)
	return Access{Record: r, Keys: keys}, err
}

// Dial connects to a box. When it cannot, the provider is asked how the box is,
// since that explains more than a refused connection.
func (e *Engine) Dial(ctx context.Context, a Access) (*guest.Client, error) {
	if err := e.Awake(ctx, a); err != nil {
		return nil, err
	}
	client, err := guest.Dial(ctx, guestTarget(a.Record, a.Keys))
	if err == nil {
		e.Heal(ctx, a)
	}
	if err == nil || ctx.Err() != nil {
		return client, err
	}
	return nil, e.Explain(ctx, a, err)
}

// Heal starts the forwarder of a box that answers again, should it have died.
func (e *Engine) Heal(ctx context.Context, a Access) {
	e.heal(ctx, &Existing{record: a.Record, box: e.Envfile.Box(a.Record.Name), voice: e.UI.Box(a.Record.Name)})
}

// Awake returns an error when the box is suspended: it would take a connection
// and never answer. The provider is asked only if the record says so.
func (e *Engine) Awake(ctx context.Context, a Access) error {
	if !a.Record.Suspended {
		return nil
	}
	return e.Explain(ctx, a, nil)
}

// Explain returns why a box could not be entered: it does not run, if so, or
// else err.
func (e *Engine) Explain(ctx context.Context, a Access, err error) error {
	p, pluginErr := e.provider(ctx, &Existing{record: a.Record})
	if pluginErr != nil {
		return err
	}
	now, inspectErr := p.Inspect(ctx, a.Record.ID)
	switch {
	case errors.Is(inspectErr, provider.ErrNotFound):
		return fmt.Errorf("box %q: %w", a.Record.Name, ErrNotCreated)
	case inspectErr == nil && now.State == provider.Frozen:
		return fmt.Errorf("box %q is suspended: let it go on with berth resume %[1]s", a.Record.Name)
	case inspectErr == nil && now.State != provider.Running:
		return fmt.Errorf("box %q is %s: start it with berth up %[1]s", a.Record.Name, now.State)
	}
	return err
}
