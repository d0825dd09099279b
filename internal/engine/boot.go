package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/berth-dev/berth/internal/guest"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// boot starts the box and waits until it can be entered.
func (e *Engine) boot(ctx context.Context, t *target, o UpOptions) (*guest.Client, error) {
	keys, err := e.Home.EnsureKeys(t.id)
	if err != nil {
		return nil, err
	}
	if err := e.watchLocal(t.box); err != nil {
		return nil, err
	}
	e.sayFolders(t)
	facts := e.facts(t) // before the start: what changes meanwhile has changed
	begin := time.Now()
	t.voice.Stage("starting")
	if err := t.plugin.Start(ctx, e.spec(t, keys), t.report()); err != nil {
		return nil, blame(t.box, err)
	}
	now, err := t.plugin.Inspect(ctx, t.id)
	if err != nil {
		return nil, err
	}
	if err := e.enterable(t, now, facts, false); err != nil {
		return nil, err
	}
	defer e.tellWhile(ctx, t.voice)()
	client, err := e.enter(ctx, t, keys, o)
	if err != nil {
		return nil, err
	}
	t.voice.Say("ready after %s at %s", time.Since(begin).Round(10*time.Millisecond), now.SSHAddr)
	return client, nil
}

// enterable records where the box is entered, for commands that ask nobody, and
// what it was started with.
func (e *Engine) enterable(t *target, now provider.Box, facts map[string]string, entered bool) error {
	r := t.record
	var networks []state.Network
	for _, n := range now.Networks {
		networks = append(networks, state.Network{Name: n.Name, IP: n.IP})
	}
	if r.SSH.Addr == now.SSHAddr && r.Root == e.Envfile.Root && r.Project == e.Envfile.Project.Name &&
		!r.Suspended && r.Entered == entered && maps.Equal(r.Facts, facts) && slices.Equal(r.Networks, networks) {
		return nil
	}
	r.SSH.Addr, r.Root, r.Project, r.Networks = now.SSHAddr, e.Envfile.Root, e.Envfile.Project.Name, networks
	r.Suspended, r.Entered, r.Facts = false, entered, facts
	return e.Home.Save(r)
}

// keepRunning makes of a box that runs, or is suspended, one that is as the
// Envfile says, as far as that can be had without a restart. A box that an
// interrupted command has left booting is waited for; else there is no client.
func (e *Engine) keepRunning(ctx context.Context, t *target, o UpOptions, now provider.Box) (*guest.Client, error) {
	if now.State == provider.Frozen {
		if err := e.resumed(ctx, t); err != nil {
			return nil, err
		}
	}
	t.voice.Say("is running")
	if err := e.enterable(t, now, t.record.Facts, t.record.Entered); err != nil {
		return nil, err
	}
	if !t.record.Entered || e.Home.Untold(e.Project.ID) { // an earlier command was killed, or could not
		defer e.tellWhile(ctx, t.voice)()
	}
	if err := e.settleChanges(ctx, t, now); err != nil || t.record.Entered {
		return nil, err
	}
	keys, err := e.Home.EnsureKeys(t.id)
	if err != nil {
		return nil, err
	}
	return e.enter(ctx, t, keys, o)
}

// enter waits until the box can be logged in to, and notes that it could.
func (e *Engine) enter(ctx context.Context, t *target, keys state.Keys, o UpOptions) (*guest.Client, error) {
	timeout := t.box.BootTimeout
	if o.BootTimeout > 0 {
		timeout = o.BootTimeout
	}
	client, err := e.wait(ctx, t, keys, timeout)
	if err != nil {
		return nil, err
	}
	t.record.Entered = true
	if err := e.Home.Save(t.record); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}
