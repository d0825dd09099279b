package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/guest"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// UpOptions say how Up goes about it.
type UpOptions struct {
	NoProvision bool          // run no steps, not even those that always run
	Keep        bool          // keep a box that could not be booted the first time
	BootTimeout time.Duration // instead of what the Envfile says; 0: what it says
	Frozen      bool          // fail on any difference from Envfile.lock
	Offline     bool          // fail when something has to be got from the network
	NoCache     bool          // start new boxes from their bare image
	OnError     OnError       // what to do with a box in which a step fails

	Shell func(context.Context, Access) error // gives the user a shell in a box, for ShellOnError
}

// Up brings boxes up, and those they depend on: creates those that do not exist,
// boots those that do not run, and runs the steps that are due. A box begins as
// soon as all that it depends on are done. One that fails takes those with it
// that depend on it, not the others. All errors are returned.
func (e *Engine) Up(ctx context.Context, boxes []*config.Box, o UpOptions) error {
	boxes, added := withNeeds(e.Envfile, boxes)
	targets, err := e.examine(ctx, boxes, !o.NoProvision)
	if err != nil {
		return err
	}
	if err := e.agree(ctx, targets, o); err != nil {
		return err
	}
	// Also if the project has an id: that of one that had no box left says nowhere
	// that this is its folder, and a copy of the folder would be taken for it.
	before := e.Project.ID
	if e.Project, err = e.Home.EnsureProject(e.Envfile.Root); err != nil {
		return err
	}
	if e.Project.ID != before {
		if err := e.identify(targets); err != nil {
			return err
		}
	}
	if len(added) > 0 {
		e.UI.Println("also up, since others depend on them: " + strings.Join(namesOf(added), ", "))
	}
	if err := e.warnUndeclared(); err != nil {
		return err
	}
	able := e.checks(ctx, targets)
	jobs, errs := e.upwards(ctx, targets, func(ctx context.Context, t *target) error {
		if err := able[t.box.Provider.Name](); err != nil {
			return err
		}
		return e.up(ctx, t, o)
	})
	forgotten := e.Home.ForgetProject(e.Project.ID) // if nothing is left of it
	for i, t := range targets {
		if t.box.Message != "" && errs[i] == nil {
			t.voice.Say("%s", t.box.Message)
		}
	}
	return errors.Join(joined("up", jobs, errs), forgotten)
}

// upwards does something with targets, each after those it depends on.
func (e *Engine) upwards(ctx context.Context, targets []*target, do func(context.Context, *target) error) ([]job, []error) {
	byName := map[string]*target{}
	var names []string
	for _, t := range targets {
		byName[t.box.Name] = t
		names = append(names, t.box.Name)
	}
	jobs := upward(e.Envfile, names)
	return jobs, walk{parallel: e.Parallel}.run(ctx, jobs, func(ctx context.Context, name string) error {
		t := byName[name]
		defer t.voice.Done()
		return do(ctx, t)
	})
}

// checks returns a function for each provider that asks it, once, whether it
// can work on this host.
func (e *Engine) checks(ctx context.Context, targets []*target) map[string]func() error {
	able := map[string]func() error{}
	for _, t := range targets {
		name := t.box.Provider.Name
		if able[name] == nil {
			able[name] = sync.OnceValue(func() error {
				if err := t.plugin.Check(ctx); err != nil {
					return fmt.Errorf("provider %q cannot work on this host: %w", name, err)
				}
				return nil
			})
		}
	}
	return able
}

// warnUndeclared tells of boxes that the Envfile has lost.
func (e *Engine) warnUndeclared() error {
	existing, err := e.Existing(nil)
	if err != nil {
		return err
	}
	var names []string
	for _, x := range existing {
		if x.box == nil {
			names = append(names, x.Name())
		}
	}
	if len(names) > 0 {
		e.UI.Warn(fmt.Sprintf("not in the Envfile any more, but still there: %s (berth destroy %s removes what is left)",
			quoted(names), strings.Join(names, " ")))
	}
	return nil
}

// up brings one box up.
func (e *Engine) up(ctx context.Context, t *target, o UpOptions) error {
	unlock, err := e.lock(t)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := t.plugin.Inspect(ctx, t.id)
	missing := errors.Is(err, provider.ErrNotFound)
	if err != nil && !missing {
		return fmt.Errorf("the state of the box is unknown, so nothing was done: %w", err)
	}
	if !missing && t.record != nil {
		restored, err := e.finishRestore(ctx, t)
		if err != nil {
			return err
		}
		if restored {
			now.State = provider.Stopped
		}
	}
	running := now.State == provider.Running || now.State == provider.Frozen
	ports, err := e.claimForwards(ctx, t, running, now.SSHAddr)
	if err != nil {
		return err
	}
	defer ports.close()
	if missing || t.record == nil || !t.record.Made {
		if err := e.create(ctx, t, missing, o); err != nil {
			return err
		}
	}
	if t.record.Image != t.box.Image {
		t.voice.Warn("it was made from %s and the Envfile now says %s: destroy it and bring it up again to change that",
			t.record.Image, t.box.Image)
	}
	if t.record.SSH.User != t.box.SSH.User {
		t.voice.Warn("its login user is %s and the Envfile now says %s: destroy it and bring it up again to change that",
			t.record.SSH.User, t.box.SSH.User)
	}
	var client *guest.Client
	if running {
		client, err = e.keepRunning(ctx, t, o, now)
	} else {
		client, err = e.boot(ctx, t, o)
		if err != nil && missing && !o.Keep {
			return e.rollBack(ctx, t, err)
		}
	}
	if err != nil {
		return err
	}
	if client != nil {
		defer client.Close()
	}
	if err := e.startForwards(ctx, t, ports); err != nil {
		return err
	}
	if err := e.copyFolders(ctx, t); err != nil {
		return err
	}
	if err := e.settleSteps(ctx, t, o, client); err != nil {
		return e.stepFailed(ctx, t, o, err)
	}
	return nil
}

// lock takes the box's lock and reads its record again: it may have changed
// since.
func (e *Engine) lock(t *target) (unlock func(), err error) {
	unlock, err = e.Home.Lock(t.id, e.Command, e.workers())
	if err != nil {
		return nil, err
	}
	t.record, err = e.Home.Load(t.id)
	if err != nil && !errors.Is(err, state.ErrNoRecord) {
		unlock()
		return nil, err
	}
	return unlock, nil
}
