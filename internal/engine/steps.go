package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/berth-dev/berth/internal/guest"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provisioner"
)

// settleSteps runs the steps that up owes: those that always run, those that failed
// or were interrupted, and as long as the box was never fully provisioned all that
// have not run yet. client is a connection to the box, nil to make one when it is
// needed.
func (e *Engine) settleSteps(ctx context.Context, t *target, o UpOptions, client *guest.Client) error {
	if o.NoProvision {
		return nil
	}
	if err := e.resolve(ctx, t, func(s *step) bool { return s.block.Run != "never" }); err != nil {
		return err
	}
	due, resumed := t.dueSteps()
	if changed := t.changedSteps(); len(changed) > 0 {
		t.voice.Warn("the Envfile has steps that are new or have changed since they ran: %s; berth provision runs them",
			strings.Join(changed, ", "))
	}
	if len(due) == 0 {
		return e.provisioned(t)
	}
	if resumed != nil {
		t.voice.Say("resuming at step %s, which %s", resumed.title(), outcome(t.record.Step(resumed.block.ID())))
	}
	e.startKeeping(ctx, t)
	return e.runSteps(ctx, t, due, client)
}

// dueSteps returns the steps that up runs, and the one at which an earlier run
// failed or was interrupted, if any.
func (t *target) dueSteps() (due []*step, resumed *step) {
	c := t.choose(func(s *step) bool {
		r := t.record.Step(s.block.ID())
		switch {
		case s.block.Run == "always":
			return true
		case s.block.Run == "never" || r == nil && t.record.Provisioned || r != nil && r.Status == state.StepDone:
			return false
		}
		if r != nil && resumed == nil {
			resumed = s
		}
		return true
	})
	return c.of(t.steps), resumed
}

// changedSteps returns the titles of steps that up does not run, though they are
// new or would run differently than they did, as far as their arguments are known.
func (t *target) changedSteps() []string {
	due, _ := t.dueSteps()
	var titles []string
	for _, s := range t.steps {
		if s.block.Run == "once" && s.args != nil && t.differs(s) && !slices.Contains(due, s) {
			titles = append(titles, s.title())
		}
	}
	return titles
}

// differs reports whether a step is not as it last succeeded.
func (t *target) differs(s *step) bool {
	r := t.record.Step(s.block.ID())
	return r == nil || r.Status != state.StepDone || r.Hash != s.hash
}

func outcome(s *state.Step) string {
	if s != nil && s.Status == state.StepRunning {
		return "was interrupted"
	}
	return "failed"
}

// runSteps runs steps one after the other, recording each before and after.
func (e *Engine) runSteps(ctx context.Context, t *target, due []*step, client *guest.Client) error {
	if client == nil {
		keys, err := e.Home.LoadKeys(t.id)
		if err != nil {
			return err
		}
		if client, err = e.wait(ctx, t, keys, t.box.BootTimeout); err != nil {
			return err
		}
		defer client.Close()
	}
	if t.interrupted() {
		// A berth that was killed has left its command running in the box.
		if err := client.KillStray(ctx); err != nil {
			return err
		}
	}
	g := client.Guest(provisioner.Info{
		Project: e.Envfile.Project.Name, Box: t.box.Name, Hostname: t.box.Hostname, User: t.record.SSH.User,
	}, t.voice)
	g = envGuest{g, e.env(t.box)}
	if err := t.waitForBoot(ctx, g); err != nil {
		return err
	}
	for i, s := range due {
		title := fmt.Sprintf("step %d of %d: %s", i+1, len(due), s.title())
		t.voice.Say("%s", title)
		t.voice.Stage(title)
		e.sayInputs(t, s)
		begin := time.Now()
		if err := e.runStep(ctx, t, s, g); err != nil {
			return err
		}
		e.keep(ctx, t, s, time.Since(begin))
	}
	return e.provisioned(t)
}

// interrupted reports whether a step is recorded as running, which, since the
// box's lock is held, it cannot be.
func (t *target) interrupted() bool {
	return slices.ContainsFunc(t.record.Steps, func(s state.Step) bool { return s.Status == state.StepRunning })
}

func (e *Engine) runStep(ctx context.Context, t *target, s *step, g provisioner.Guest) error {
	// A box that has the project's folder may have put a link into it since.
	if diags := e.checkInputs(t.box.Name, s, s.block.EvalContext); diags.HasErrors() {
		return &RefusedError{Err: diags, Diags: diags}
	}
	// It reads its files now, and what is recorded and kept must be of those.
	if changed, err := e.look(s); err != nil {
		return fmt.Errorf("box %q, %s: %w", t.box.Name, s.title(), err)
	} else if changed {
		t.keeping = nil // keys of checkpoints are of the files before
	}
	r := state.Step{ID: s.block.ID(), Hash: s.hash, Parts: s.parts, Status: state.StepRunning, At: time.Now().UTC()}
	t.record.SetStep(r)
	if err := e.Home.Save(t.record); err != nil {
		return err
	}
	err := s.plugin.Provision(ctx, s.args, g)
	r.At = time.Now().UTC()
	if changed, _ := e.look(s); changed { // which of them it has read nobody knows
		r.Hash, t.keeping = "", nil
	}
	switch {
	case err == nil:
		r.Status = state.StepDone
	case ctx.Err() == nil: // else it was interrupted, as after a crash
		r.Status, r.Error = state.StepFailed, err.Error()
	}
	t.record.SetStep(r)
	if saved := e.Home.Save(t.record); saved != nil {
		return errors.Join(err, saved)
	}
	if err == nil {
		return nil
	}
	if d := stepDiagnostic(s.block, err); d != nil && ctx.Err() == nil {
		return &RefusedError{Err: err, Diags: hcl.Diagnostics{d}}
	}
	return &StepError{Box: t.box.Name, Step: s.title(), Range: s.block.DeclRange.String(), Err: err}
}

// provisioned notes that all steps that run once have.
func (e *Engine) provisioned(t *target) error {
	if t.record.Provisioned || slices.ContainsFunc(t.steps, func(s *step) bool {
		r := t.record.Step(s.block.ID())
		return s.block.Run == "once" && (r == nil || r.Status != state.StepDone)
	}) {
		return nil
	}
	t.record.Provisioned = true
	return e.Home.Save(t.record)
}

// StepError is a step that failed.
type StepError struct {
	Box, Step string
	Range     string // where its block is
	Err       error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("step %s (%s) failed: %v\nberth up %s goes on from this step; berth ssh %[4]s looks at the box",
		e.Step, e.Range, e.Err, e.Box)
}

func (e *StepError) Unwrap() error { return e.Err }

// envGuest gives every command the box's environment. Logins have it already;
// commands that run as root do not, since sudo takes it away.
type envGuest struct {
	provisioner.Guest
	env map[string]string
}

func (g envGuest) Run(ctx context.Context, cmd provisioner.Cmd) error {
	env := maps.Clone(g.env)
	if env == nil {
		env = cmd.Env
	} else {
		maps.Copy(env, cmd.Env)
	}
	cmd.Env = env
	return g.Guest.Run(ctx, cmd)
}

// waitForBoot waits until the box's services have been started: sshd lets us in
// before that, and a step that restarts one would meet it half way. A unit that
// failed is the user's business, as is a box without systemd and one whose boot
// never ends. As root, systemctl talks to systemd itself; by way of the message
// bus, which may be starting, it can miss the end of the boot and wait for ever.
func (t *target) waitForBoot(ctx context.Context, g provisioner.Guest) error {
	limited, cancel := context.WithTimeout(ctx, t.box.BootTimeout)
	defer cancel()
	err := g.Run(limited, provisioner.Cmd{
		Argv: []string{"systemctl", "is-system-running", "--wait", "--quiet"}, Root: true, Stdout: discard{}, Stderr: discard{},
	})
	var exit *provisioner.ExitError
	switch {
	case errors.As(err, &exit):
		return nil
	case ctx.Err() == nil && limited.Err() != nil:
		t.voice.Warn("its boot has not ended after %s, and the steps begin all the same; systemctl list-jobs in the box says what it waits for",
			t.box.BootTimeout)
		return nil
	}
	return err
}

// discard is a writer for output that nobody wants.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
