package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/internal/state"
)

// around is a box with steps around each other, all of whose arguments are known.
func around(t *testing.T) *target {
	t.Helper()
	e := parse(t, t.TempDir(), `box "a" {
  provisioner "note" "one" {}
  provisioner "note" "two" { run = "always" }
  provisioner "note" "rare" { run = "never" }
  provisioner "note" "stop" { before = "one" }
  provisioner "note" "log" { after = "each" }
  provisioner "note" "end" { after = "all" }
}`)
	tg := &target{box: e.Boxes[0], record: &state.Record{ID: "a"}}
	for _, p := range e.Boxes[0].Provisioners {
		tg.steps = append(tg.steps, &step{block: p, args: []byte("{}"), hash: "h"})
	}
	return tg
}

func ids(steps []*step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, s.block.ID())
	}
	return out
}

// done records that all steps but these have run.
func (t *target) done(but ...string) {
	t.record.Steps = nil
	for _, s := range t.steps {
		status := state.StepDone
		for _, id := range but {
			if id == s.block.ID() {
				status = state.StepFailed
			}
		}
		t.record.SetStep(state.Step{ID: s.block.ID(), Hash: "h", Status: status})
	}
}

// What up does not run, though it is not as the Envfile says, is named: also of a
// box in which a later step has failed.
func TestChangedSteps(t *testing.T) {
	tg := around(t)
	tg.done("end")
	tg.steps[1].hash = "new"
	if diff := cmp.Diff([]string{tg.steps[1].title()}, tg.changedSteps()); diff != "" {
		t.Errorf("not provisioned:\n%s", diff)
	}
	e := &Engine{Envfile: parse(t, t.TempDir(), "")}
	lock := &state.LockFile{}
	var err error
	if lock.Boxes, err = e.lockedBoxes([]*target{tg}); err != nil {
		t.Fatal(err)
	}
	var locked *LockError
	if err := e.agreeSteps([]*target{tg}, lock); !errors.As(err, &locked) || !strings.Contains(err.Error(), `has not got these steps as they are now: note "one"`) {
		t.Errorf("--frozen takes a box whose first step is an older one: %v", err)
	}
	tg.done()
	tg.record.Provisioned = true
	tg.record.Steps = tg.record.Steps[1:]
	if diff := cmp.Diff([]string{tg.steps[0].title(), tg.steps[1].title()}, tg.changedSteps()); diff != "" {
		t.Errorf("provisioned:\n%s", diff)
	}
}

// What runs beside a step runs whenever that does, and not only then.
func TestStepsBeside(t *testing.T) {
	tg := around(t)
	up := func() []string { due, _ := tg.dueSteps(); return ids(due) }
	provision := func(o ProvisionOptions) []string {
		return ids(tg.choose(func(s *step) bool { return o.wants(s, tg) }).of(tg.steps))
	}
	for _, c := range []struct {
		what      string
		got, want []string
	}{
		{"a new box", up(), []string{"stop", "one", "log@one", "two", "log@two", "end"}},
		{"the second of them failed", func() []string { tg.done("one"); return up() }(), []string{"stop", "one", "log@one", "two", "log@two"}},
		{"one after another failed", func() []string { tg.done("log@one"); return up() }(), []string{"log@one", "two", "log@two"}},
		{"all is done", func() []string { tg.done(); tg.record.Provisioned = true; return up() }(), []string{"two", "log@two"}},
		{"one failed when it was provisioned again", func() []string { tg.done("end"); return up() }(), []string{"two", "log@two", "end"}},
		{"a new one", func() []string { tg.done(); tg.record.Steps = tg.record.Steps[1:]; return up() }(), []string{"two", "log@two"}},
		{"provision", func() []string { tg.done(); return provision(ProvisionOptions{}) }(), []string{"two", "log@two"}},
		{"provision a changed one", func() []string { tg.steps[1].hash = "new"; return provision(ProvisionOptions{}) }(),
			[]string{"stop", "one", "log@one", "two", "log@two"}},
		{"by name", provision(ProvisionOptions{Only: []string{"one"}}), []string{"stop", "one", "log@one"}},
		{"one that never runs", provision(ProvisionOptions{Only: []string{"rare"}}), []string{"rare", "log@rare"}},
		{"one that runs beside others", provision(ProvisionOptions{Only: []string{"log"}}), []string{"log@one", "log@two", "log@rare"}},
		{"one of them", provision(ProvisionOptions{Only: []string{"log@two"}}), []string{"log@two"}},
		{"all", provision(ProvisionOptions{All: true}), []string{"stop", "one", "log@one", "two", "log@two", "end"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
}

func TestPlanStepsBeside(t *testing.T) {
	tg := around(t)
	tg.done()
	tg.record.Provisioned = true
	tg.steps[1].hash = "new"
	const command = "berth provision a"
	want := []Change{
		{Kind: "step", What: `step note "stop"`, Why: `it runs with step note "one"`, Command: command},
		{Kind: "step", What: `step note "one"`, Why: "it has changed since it ran", Command: command},
		{Kind: "step", What: `step note "log" after "one"`, Why: `it runs with step note "one"`, Command: command},
		{Kind: "step", What: `step note "two"`, Why: "it always runs", Always: true},
		{Kind: "step", What: `step note "log" after "two"`, Why: `it runs with step note "two"`, Always: true},
	}
	if diff := cmp.Diff(want, planSteps(tg, tg.record)); diff != "" {
		t.Error(diff)
	}
}

// A box never starts from the disk between a step and one before it, which
// would run again; and the same step has another key at each place.
func TestChainOfStepsBeside(t *testing.T) {
	tg := around(t)
	e := &Engine{Build: "1", Envfile: parse(t, t.TempDir(), "")}
	for _, s := range tg.steps {
		s.plugin = identified{}
	}
	links, err := e.chain(t.Context(), tg)
	if err != nil {
		t.Fatal(err)
	}
	var keepable []string
	keys := map[string]bool{}
	for _, l := range links {
		keys[l.key] = true
		if l.keepable() {
			keepable = append(keepable, l.step.block.ID())
		}
	}
	if diff := cmp.Diff([]string{"one", "log@one", "log@two", "end"}, keepable); diff != "" || len(keys) != 6 {
		t.Errorf("%d keys\n%s", len(keys), diff)
	}
}
