package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/provider"
)

// ProvisionOptions say which steps Provision runs.
type ProvisionOptions struct {
	Only []string // names or types of steps, run whatever their state is, with those beside them
	All  bool     // all but those that never run
}

// Provision runs steps in running boxes: those that are new, changed or failed
// and those that always run, unless the options say otherwise. It goes about it
// as Up does.
func (e *Engine) Provision(ctx context.Context, boxes []*config.Box, o ProvisionOptions) error {
	if err := knownSteps(boxes, o.Only); err != nil {
		return err
	}
	targets, err := e.prepare(ctx, boxes, true)
	if err != nil {
		return err
	}
	jobs, errs := e.upwards(ctx, targets, func(ctx context.Context, t *target) error { return e.provision(ctx, t, o) })
	return joined("provision", jobs, errs)
}

func (e *Engine) provision(ctx context.Context, t *target, o ProvisionOptions) error {
	if t.record == nil {
		return ErrNotCreated
	}
	e.heal(ctx, &Existing{record: t.record, box: t.box, voice: t.voice})
	unlock, err := e.lock(t)
	if err != nil {
		return err
	}
	defer unlock()
	if t.record == nil {
		return ErrNotCreated
	}
	now, err := t.plugin.Inspect(ctx, t.id)
	if err != nil {
		return err
	}
	if now.State != provider.Running {
		return fmt.Errorf("the box is %s: start it with berth up %s", now.State, t.box.Name)
	}
	if err := e.resolve(ctx, t, t.choose(o.mayWant).has); err != nil {
		return err
	}
	due := t.choose(func(s *step) bool { return o.wants(s, t) }).of(t.steps)
	if len(due) == 0 {
		t.voice.Say("nothing to do: no step is new or changed (--all runs them all)")
		return e.provisioned(t)
	}
	return e.runSteps(ctx, t, due, nil)
}

func (o ProvisionOptions) wants(s *step, t *target) bool {
	switch {
	case len(o.Only) > 0:
		// A step that never runs by itself is asked for by its name only.
		return slices.ContainsFunc(o.Only, s.block.Called) || s.block.Run != "never" && slices.Contains(o.Only, s.block.Type)
	case s.block.Run == "never":
		return false
	}
	return o.All || s.block.Run == "always" || t.differs(s)
}

// mayWant reports whether a step can be wanted, as far as the Envfile says.
func (o ProvisionOptions) mayWant(s *step) bool {
	if len(o.Only) == 0 {
		return s.block.Run != "never"
	}
	return o.wants(s, nil)
}

// knownSteps refuses names that no step of these boxes has.
func knownSteps(boxes []*config.Box, names []string) error {
	for _, name := range names {
		var known []string
		found := false
		for _, b := range boxes {
			for _, p := range b.Provisioners {
				found = found || p.Called(name) || p.Type == name
				if !slices.Contains(known, p.ID()) {
					known = append(known, p.ID())
				}
			}
		}
		if !found {
			return fmt.Errorf("no step is called %q; there are %s", name, quoted(known))
		}
	}
	return nil
}
