package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/sync/errgroup"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/provider"
)

// target is a box that a command works on, with everything about it checked.
type target struct {
	box    *config.Box
	id     string
	plugin provider.Provider
	args   []byte // of the provider block, as the plugin takes them
	steps  []*step
	voice  *ui.Box
	record *state.Record // nil: none yet

	image   *state.LockedImage // what its image is, once that has been asked
	fresh   bool               // this command has made it
	keeping *keeping           // nil: its steps are not kept
}

// step is a provisioner block, ready to run.
type step struct {
	block  *config.Provisioner
	plugin ProvisionerPlugin
	args   []byte            // nil: not known until the boxes are up whose values it uses
	hash   string            // of a step with args
	parts  map[string]string // of what hash is of, by name
	inputs []string
	stamp  string // what the inputs looked like when the hash was made
}

// title is how a step is shown: `shell "packages"`, or just `shell`. Of a block
// that stands at each other step, the title says at which.
func (s *step) title() string {
	title := s.block.Type
	if s.block.Name != "" {
		title += fmt.Sprintf(" %q", s.block.Name)
	}
	if _, at, repeated := strings.Cut(s.block.ID(), "@"); repeated {
		word := "before"
		if s.block.After != "" {
			word = "after"
		}
		title += fmt.Sprintf(" %s %q", word, at)
	}
	return title
}

// startPlugins starts all plugins that the boxes need, at once: each takes as
// long to start as all together. Errors come again where each is asked for.
func (e *Engine) startPlugins(ctx context.Context, boxes []*config.Box, steps bool) {
	var g errgroup.Group
	for _, b := range boxes {
		g.Go(func() error { _, err := e.Plugins.Provider(ctx, b.Provider.Name); return err })
		for _, p := range b.Provisioners {
			if steps {
				g.Go(func() error { _, err := e.Plugins.Provisioner(ctx, p.Type); return err })
			}
		}
	}
	_ = g.Wait()
}

// prepare checks all boxes, with their steps if steps is set, and returns them
// as targets, or all the problems that there are as a *DiagError. Nothing has
// been touched then.
func (e *Engine) prepare(ctx context.Context, boxes []*config.Box, steps bool) ([]*target, error) {
	e.startPlugins(ctx, boxes, steps)
	var targets []*target
	var diags hcl.Diagnostics
	for _, b := range boxes {
		t := &target{box: b, voice: e.UI.Box(b.Name)}
		var more hcl.Diagnostics
		var err error
		t.plugin, t.args, more, err = e.bindProvider(ctx, b)
		diags = append(diags, more...)
		if err != nil {
			return nil, err
		}
		if steps {
			t.steps, more, err = e.decodeSteps(ctx, b)
			diags = append(diags, more...)
			if err != nil {
				return nil, err
			}
		}
		targets = append(targets, t)
	}
	if diags.HasErrors() {
		return nil, &DiagError{distinctDiags(diags)}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return targets, e.identify(targets)
}

// examine is prepare with a look at what boxes get of the host as well: all that
// can be found wrong before anything is touched.
func (e *Engine) examine(ctx context.Context, boxes []*config.Box, steps bool) ([]*target, error) {
	targets, err := e.prepare(ctx, boxes, steps)
	if err != nil {
		return nil, err
	}
	if diags := append(e.folderDiags(boxes), e.checkReversed(boxes)...); diags.HasErrors() {
		return nil, &DiagError{diags}
	}
	return targets, nil
}

// identify finds the ids and records of targets.
func (e *Engine) identify(targets []*target) error {
	if e.Project.ID == "" {
		return nil
	}
	for _, t := range targets {
		var err error
		if t.id, err = e.Home.BoxID(e.Project.ID, e.Envfile.Project.Name, t.box.Name); err != nil {
			return err
		}
		t.record, err = e.Home.Load(t.id)
		if err != nil && !errors.Is(err, state.ErrNoRecord) {
			return err
		}
		// An existing box stays with the provider that made it.
		if t.record != nil && t.record.Provider != t.box.Provider.Name {
			return fmt.Errorf("box %q was made by provider %q, and the Envfile now says %q: destroy it first, or change the Envfile back",
				t.box.Name, t.record.Provider, t.box.Provider.Name)
		}
	}
	return nil
}

// bindProvider decodes and checks a box's provider block.
func (e *Engine) bindProvider(ctx context.Context, b *config.Box) (provider.Provider, []byte, hcl.Diagnostics, error) {
	plugin, err := e.Plugins.Provider(ctx, b.Provider.Name)
	if err != nil {
		return nil, nil, unknownPlugin(err, b.Provider.DeclRange, b.DeclRange), fatal(ctx, err)
	}
	args, diags := plugin.Decode(b.Provider.Body(), b.Provider.EvalContext)
	if diags.HasErrors() {
		return nil, nil, diags, nil
	}
	if err := plugin.Validate(ctx, args); err != nil {
		if d := providerDiagnostic(b, err); d != nil {
			return nil, nil, append(diags, d), nil
		}
		return nil, nil, diags, err
	}
	return plugin.Bind(args), args, diags, nil
}

// decodeSteps decodes and checks a box's provisioner blocks.
func (e *Engine) decodeSteps(ctx context.Context, b *config.Box) ([]*step, hcl.Diagnostics, error) {
	var steps []*step
	var diags hcl.Diagnostics
	for _, p := range b.Provisioners {
		s, more, err := e.decodeStep(ctx, b, p, p.EvalContext)
		diags = append(diags, more...)
		if err != nil {
			return nil, diags, err
		}
		if s != nil {
			steps = append(steps, s)
		}
	}
	return steps, diags, nil
}

// decodeStep decodes and checks one of them; the step is nil when it has
// problems. One whose arguments are not all known yet is checked as far as it
// can be.
func (e *Engine) decodeStep(ctx context.Context, b *config.Box, p *config.Provisioner, in *hcl.EvalContext) (*step, hcl.Diagnostics, error) {
	plugin, err := e.Plugins.Provisioner(ctx, p.Type)
	if err != nil {
		return nil, unknownPlugin(err, p.TypeRange, p.DeclRange), fatal(ctx, err)
	}
	args, diags := plugin.Decode(p.Body, in)
	if diags.HasErrors() {
		return nil, diags, nil
	}
	s := &step{block: p, plugin: plugin, args: args}
	if args == nil {
		return s, diags, nil
	}
	if err := plugin.Validate(ctx, args); err != nil {
		if d := stepDiagnostic(p, err); d != nil {
			return nil, append(diags, d), nil
		}
		return nil, diags, err
	}
	if s.inputs, err = plugin.Inputs(ctx, args); err != nil {
		return nil, diags, err
	}
	if more := e.checkInputs(b.Name, s, in); more.HasErrors() { // before anything is read
		return nil, append(diags, more...), nil
	}
	if _, err = e.look(s); err != nil {
		return nil, diags, fmt.Errorf("box %q, %s: %w", b.Name, s.title(), err)
	}
	return s, diags, nil
}

// Validate checks all boxes with their plugins, and touches nothing.
func (e *Engine) Validate(ctx context.Context) error {
	targets, err := e.examine(ctx, e.Envfile.Boxes, true)
	if err != nil {
		return err
	}
	var diags hcl.Diagnostics
	for _, t := range targets {
		if d := e.imageDiagnostic(ctx, t); d != nil {
			diags = append(diags, d)
		}
	}
	if len(diags) > 0 {
		return &DiagError{distinctDiags(diags)}
	}
	return nil
}

// imageDiagnostic says what the provider has against the name of a box's image; nil:
// nothing, be it on this host yet or not.
func (e *Engine) imageDiagnostic(ctx context.Context, t *target) *hcl.Diagnostic {
	if _, err := e.imageOf(ctx, t, false); err != nil {
		return providerDiagnostic(t.box, err)
	}
	return nil
}
