package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/berth-dev/berth/internal/forward"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/internal/ui"
)

// resolveSome decodes steps that use other boxes' values as far as those are up.
func (e *Engine) resolveSome(ctx context.Context, t *target) {
	for _, s := range slices.Clone(t.steps) {
		// What cannot be known now is said to be so.
		_ = e.resolve(ctx, t, func(other *step) bool { return other == s && s.block.Run != "never" })
	}
}

// planSteps tells which steps run, and why, in a box with that record; nil: a
// new one.
func planSteps(t *target, record *state.Record) []Change {
	planned := map[string]Change{}
	for _, s := range t.steps {
		if c := planStep(t, s, record); c.Why != "" {
			planned[s.block.ID()] = c
		}
	}
	var changes []Change
	for _, s := range t.steps {
		c, due := planned[s.block.ID()]
		beside, runs := planned[s.block.Beside()]
		if runs && (!due || c.Command != "" && beside.Command == "") {
			c = beside // done by the same command
			c.What, c.Why, due = "step "+s.title(), "it runs with "+beside.What, true
		}
		if due {
			changes = append(changes, c)
		}
	}
	return changes
}

// planStep tells of one step, without those that it runs with; Why is empty when
// it does not run.
func planStep(t *target, s *step, record *state.Record) Change {
	c := Change{Kind: "step", What: "step " + s.title()}
	var r *state.Step
	if record != nil {
		r = record.Step(s.block.ID())
	}
	switch {
	case s.block.Run == "never":
	case s.block.Run == "always":
		c.Why, c.Always = "it always runs", true
	case r != nil && r.Status == state.StepDone:
		c.Why, c.Command = whyChanged(s, r), "berth provision "+t.box.Name
	case r != nil:
		c.Why = "it " + outcome(r)
		if line, _, _ := strings.Cut(r.Error, "\n"); line != "" {
			c.Why += ": " + line
		}
	case record == nil || record.ID == "": // the second of one that is to begin with a checkpoint
		c.Why = "the box is new"
	case record.Provisioned:
		c.Why, c.Command = "it is new", "berth provision "+t.box.Name
	default:
		c.Why = "it has not run yet"
	}
	return c
}

// whyChanged says what of a step differs from when it last succeeded; empty when
// nothing does, as far as is known.
func whyChanged(s *step, r *state.Step) string {
	if s.args == nil || s.hash == r.Hash {
		return "" // its values come from boxes that are not up, or are the same
	}
	parts := changedParts(r.Parts, s.parts)
	if len(parts) == 0 || len(r.Parts) == 0 { // by a Berth that kept none
		return "it has changed since it ran"
	}
	return "changed since it ran: " + strings.Join(parts, ", ")
}

// changedParts names the arguments and files of a step whose hashes differ.
func changedParts(before, now map[string]string) []string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		switch was, known := before[name]; {
		case !known:
			parts = append(parts, name+" is new")
		case was != now[name]:
			parts = append(parts, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, still := now[name]; !still {
			parts = append(parts, fmt.Sprintf("%s is gone", ui.Printable(name, false)))
		}
	}
	return parts
}

// planForwards tells how the forwards of a running box change.
func (e *Engine) planForwards(t *target, addr string) ([]Change, error) {
	dir := forward.Dir(e.Home.BoxDir(t.id))
	before, err := dir.LoadPlan()
	if err != nil {
		return nil, err
	}
	f := &forwards{rules: e.forwardRules(t.box), auto: t.box.AutoForward, before: before}
	alive, err := dir.Alive()
	if err != nil {
		return nil, err
	}
	var changes []Change
	add := func(name, why string) {
		changes = append(changes, Change{Kind: "forward", What: name, Why: why})
	}
	had := map[string]forward.Rule{}
	for _, r := range before.Rules {
		had[r.Name] = r
	}
	for _, r := range f.rules {
		what := fmt.Sprintf("forward %q", r.Name)
		old, known := had[r.Name]
		delete(had, r.Name)
		switch {
		case !known:
			add(what, "it is new")
		case !forward.Same([]forward.Rule{old}, []forward.Rule{r}):
			add(what, "it has changed")
		case !alive:
			add(what, "it is down")
		case before.Addr != addr:
			add(what, "the box has another address")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(had)) {
		add(fmt.Sprintf("forward %q", name), "it is gone from the Envfile")
	}
	if before.Auto != f.auto {
		add("auto_forward", "it has changed")
	}
	return changes, nil
}
