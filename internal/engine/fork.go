package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// forkKey begins the keys of checkpoints that are there for as long as a fork is
// made.
const forkKey = "fork"

// AddForks adds the forks among the project's boxes to the Envfile, each set up
// like the box that it is of, so that all commands find them. A fork of a box
// that the Envfile has lost is lost with it.
func (e *Engine) AddForks() error {
	if e.Project.ID == "" {
		return nil
	}
	records, err := e.Home.Records(e.Project.ID)
	if err != nil {
		return err
	}
	for _, r := range records {
		if like := e.Envfile.Box(r.ForkOf); r.ForkOf != "" && like != nil && e.Envfile.Box(r.Name) == nil {
			e.Envfile.Boxes = append(e.Envfile.Boxes, forkOf(like, r.Name))
		}
	}
	return nil
}

// forkOf returns a box like another, without what only one box can have.
func forkOf(like *config.Box, name string) *config.Box {
	b := *like
	b.Name, b.Block, b.Hostname = name, name, name
	b.Autostart, b.Primary, b.Personal = false, false, true
	b.Networks = slices.Clone(like.Networks)
	for i := range b.Networks {
		b.Networks[i].IP = config.Network{}.IP
	}
	b.Forwards = nil
	for _, f := range like.Forwards {
		switch {
		case f.Reverse:
		case f.Host.Path != "":
			continue // a socket of the host has one owner, and there is no other name to choose
		default:
			f.Host.Port = 0
		}
		b.Forwards = append(b.Forwards, f)
	}
	return &b
}

// Fork makes a second box with the disk that a box has now, and starts it. The
// first goes on.
func (e *Engine) Fork(ctx context.Context, x *Existing, name string, start bool) error {
	if err := e.checkFork(x, name); err != nil {
		return err
	}
	like := x.box
	e.Envfile.Boxes = append(e.Envfile.Boxes, forkOf(like, name))
	targets, err := e.prepare(ctx, e.Envfile.Boxes[len(e.Envfile.Boxes)-1:], true)
	if err != nil {
		return err
	}
	t := targets[0]
	defer t.voice.Done()
	begin := time.Now()
	err = e.existingBox(ctx, x, func(_ provider.Provider, c provider.Checkpointer, _ provider.Box) error {
		return e.makeFork(ctx, t, x.record, c)
	})
	if err == nil {
		t.voice.Say("forked from %s in %s", x.Name(), time.Since(begin).Round(time.Millisecond))
	}
	if err == nil && start {
		err = e.up(ctx, t, UpOptions{Keep: true})
	}
	if err != nil {
		return fmt.Errorf("fork %s: %w", x.Name(), err)
	}
	return nil
}

func (e *Engine) checkFork(x *Existing, name string) error {
	if err := config.CheckName(name); err != nil {
		return fmt.Errorf("a box cannot be named %q: %w", name, err)
	}
	if x.box == nil {
		return fmt.Errorf("the Envfile does not declare box %q any more, so there is nothing that says how its fork is to be set up", x.Name())
	}
	if e.Envfile.Box(name) != nil {
		return fmt.Errorf("there is a box %q already: name another, or berth destroy %[1]s", name)
	}
	records, err := e.Home.Records(e.Project.ID)
	for _, r := range records {
		if r.Name == name {
			return fmt.Errorf("there is a box %q already: name another, or berth destroy %[1]s", name)
		}
	}
	return err
}

// makeFork records the fork, keeps the first box's disk for a moment and makes
// the fork from it. Whatever fails, nothing is left; whatever is killed, destroy
// removes.
func (e *Engine) makeFork(ctx context.Context, t *target, of *state.Record, c provider.Checkpointer) error {
	unlock, err := e.Home.Lock(t.id, e.Command, e.workers())
	if err != nil {
		return err
	}
	defer unlock()
	keys, err := e.Home.EnsureKeys(t.id)
	if err != nil {
		return err
	}
	root := of.Name
	if of.ForkOf != "" {
		root = of.ForkOf
	}
	t.record = &state.Record{
		ID: t.id, ProjectID: e.Project.ID, Project: e.Envfile.Project.Name, Root: e.Envfile.Root,
		Name: t.box.Name, Provider: of.Provider, Image: of.Image, ImageDigest: of.ImageDigest, Created: time.Now().UTC(),
		SSH:    state.SSH{User: t.box.SSH.User, HostKey: keys.HostPublic},
		ForkOf: root, Checkpoint: newKey(forkKey), Provisioned: of.Provisioned, Steps: slices.Clone(of.Steps),
	}
	if err := e.Home.Save(t.record); err != nil {
		return err
	}
	t.voice.Stage("keeping the disk of " + of.Name)
	if err := c.Checkpoint(ctx, of.ID, t.record.Checkpoint, t.report()); err != nil {
		return errors.Join(err, e.dropFork(ctx, t))
	}
	if err := t.plugin.Create(ctx, e.spec(t, keys), t.report()); err != nil {
		return errors.Join(blame(t.box, err), e.dropFork(ctx, t))
	}
	if err := c.RemoveCheckpoint(ctx, t.record.Checkpoint); err != nil { // the box needs it no more
		return errors.Join(err, e.dropFork(ctx, t))
	}
	t.record.Made, t.record.Checkpoint = true, ""
	return e.Home.Save(t.record)
}

// dropFork removes what was made of a fork.
func (e *Engine) dropFork(ctx context.Context, t *target) error {
	ctx, cancel := cleanup(ctx)
	defer cancel()
	p, err := e.provider(ctx, &Existing{record: t.record}) // anew: the plugin's death may be the cause
	if err == nil {
		err = p.Destroy(ctx, t.id, nil)
	}
	if err != nil && !errors.Is(err, provider.ErrNotFound) {
		return fmt.Errorf("what was made so far could not be removed (berth destroy %s tries again): %w", t.box.Name, err)
	}
	return errors.Join(e.forgetDisks(ctx, p, t.record), e.Home.Remove(t.id))
}

// forgetDisks removes what a provider keeps of a box that is gone.
func (e *Engine) forgetDisks(ctx context.Context, p provider.Provider, r *state.Record) error {
	c, ok := p.(provider.Checkpointer)
	if !ok {
		return nil
	}
	if strings.HasPrefix(r.Checkpoint, forkKey+"-") { // it was killed at its making
		if err := c.RemoveCheckpoint(ctx, r.Checkpoint); err != nil && !errors.Is(err, provider.ErrNoCheckpoint) && !errors.Is(err, provider.ErrUnsupported) {
			return err
		}
	}
	return e.clearSnapshots(ctx, c, r.ID, func(state.Snapshot) bool { return true })
}
