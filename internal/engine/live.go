package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// The facts that can be changed in a running box; of diskFact no more than that the
// limit becomes larger.
const (
	limitsFact = "resources"
	diskFact   = "resources.disk"
)

// facts are what a start makes of the Envfile, each as a hash under the name
// that it has in the Envfile, so that a later command can tell which of them has
// changed. Values can be secret, hashes are not. Of the files that are protected in
// its folders it is what tells them from others.
func (e *Engine) facts(t *target) map[string]string {
	s := e.spec(t, state.Keys{})
	facts := map[string]string{}
	limits, disk := s.Resources, [2]any{s.Resources.Disk, s.Resources.DiskOptional}
	limits.Disk, limits.DiskOptional = 0, false
	if s.Resources.Disk == 0 {
		disk = [2]any{} // then nothing is enforced
	}
	for name, value := range map[string]any{
		"hostname": s.Hostname, "env": s.Env, limitsFact: limits, diskFact: disk, "provider": string(t.args),
		"network": wanted(s.Networks), "folder": s.Folders, "host_ca": s.CACertificates,
		"package_cache": s.PackageCache,
	} {
		b, err := json.Marshal(value)
		if err != nil {
			continue // none of these can fail
		}
		sum := sha256.Sum256(b)
		facts[name] = hex.EncodeToString(sum[:8])
	}
	maps.Copy(facts, e.standing(t.box))
	return facts
}

// settleChanges brings a running box as near to the Envfile as can be without a
// restart, and says what needs one.
func (e *Engine) settleChanges(ctx context.Context, t *target, now provider.Box) error {
	facts, asked := e.facts(t), e.spec(t, state.Keys{}).Resources
	live, changed := changedFacts(t.record.Facts, facts, now.Limits, asked)
	if len(live) > 0 {
		err := resize(ctx, t.plugin, t.id, liveLimits(now.Limits, asked))
		switch {
		case err == nil:
			t.voice.Say("its limits are now those of the Envfile")
			for _, name := range live {
				t.record.Facts[name] = facts[name]
			}
			if err := e.Home.Save(t.record); err != nil {
				return err
			}
		case errors.Is(err, provider.ErrUnsupported):
			changed = slices.Sorted(slices.Values(append(changed, live...)))
		default:
			return blame(t.box, err)
		}
	}
	files, changed := exposed(changed)
	if len(files) > 0 {
		t.voice.Warn("%s: made or replaced on the host since the box was started, so that the box can write to it; berth reload %s protects it again",
			strings.Join(files, ", "), t.box.Name)
	}
	if len(changed) > 0 {
		t.voice.Warn("the Envfile has changed since it was started: %s; berth reload %s applies that",
			strings.Join(changed, ", "), t.box.Name)
	}
	return nil
}

// changedFacts returns the names of the facts that are not as they were: those that
// a running box can follow, with its limits as they are now, and those that need a
// start.
func changedFacts(before, facts map[string]string, now, asked provider.Resources) (live, others []string) {
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		was, known := before[name]
		switch {
		case !known || was == facts[name]:
		case name == limitsFact, name == diskFact && isLive(now, asked):
			live = append(live, name)
		default:
			others = append(others, name)
		}
	}
	return live, others
}

// isLive reports whether the limit of the disk can become what is wanted while the
// box runs: it can only grow.
func isLive(now, wanted provider.Resources) bool { return now.Disk > 0 && wanted.Disk >= now.Disk }

// liveLimits returns the wanted limits as far as a running box can have them.
func liveLimits(now, wanted provider.Resources) provider.Resources {
	if !isLive(now, wanted) {
		wanted.Disk = now.Disk
	}
	return wanted
}

// resize changes the limits of a running box, if its provider can.
func resize(ctx context.Context, p provider.Provider, id string, r provider.Resources) error {
	resizer, ok := p.(provider.Resizer)
	if !ok {
		return fmt.Errorf("change the limits of a running box: %w", provider.ErrUnsupported)
	}
	return resizer.Resize(ctx, id, r)
}

// Resize changes limits of a running box until its next start: change is given
// those that are in force.
func (e *Engine) Resize(ctx context.Context, x *Existing, change func(*provider.Resources) error) error {
	err := e.exclusive(ctx, x, func(p provider.Provider, now provider.Box) error {
		if now.State != provider.Running && now.State != provider.Frozen {
			return fmt.Errorf("the box is %s: limits of the Envfile hold from its next start on", now.State)
		}
		limits := now.Limits
		if err := change(&limits); err != nil {
			return err
		}
		return resize(ctx, p, x.record.ID, limits)
	})
	if err != nil {
		return fmt.Errorf("resize %s: %w", x.Name(), err)
	}
	x.voice.Say("its limits are changed until its next start; the Envfile says what holds then")
	return nil
}

// Suspend freezes boxes: they stay in memory, and use no CPU.
func (e *Engine) Suspend(ctx context.Context, boxes []*Existing) error {
	return e.freeze(ctx, boxes, "suspend", true, func(s provider.Suspender, id string) error { return s.Suspend(ctx, id) })
}

// Resume lets suspended boxes go on.
func (e *Engine) Resume(ctx context.Context, boxes []*Existing) error {
	return e.freeze(ctx, boxes, "resume", false, func(s provider.Suspender, id string) error { return s.Resume(ctx, id) })
}

func (e *Engine) freeze(ctx context.Context, boxes []*Existing, verb string, suspended bool, do func(provider.Suspender, string) error) error {
	done := map[bool]string{true: "suspended: it stays in memory until the host reboots", false: "resumed"}[suspended]
	return e.downwards(ctx, verb, boxes, func(ctx context.Context, x *Existing) error {
		return e.exclusive(ctx, x, func(p provider.Provider, now provider.Box) error {
			if now.State == provider.Stopped {
				x.voice.Say("is stopped, so there is nothing to %s", verb)
				return nil
			}
			s, ok := p.(provider.Suspender)
			if !ok {
				return fmt.Errorf("its provider cannot %s boxes: %w", verb, provider.ErrUnsupported)
			}
			if err := do(s, x.record.ID); err != nil {
				return err
			}
			x.record.Suspended = suspended
			if err := e.Home.Save(x.record); err != nil {
				return err
			}
			x.voice.Say("%s", done)
			if suspended {
				return nil
			}
			return e.healForwards(ctx, x, true)
		})
	})
}

// Reload halts boxes and brings them up again. The Envfile is checked before;
// boxes that it does not declare any more are left alone.
func (e *Engine) Reload(ctx context.Context, existing []*Existing, force bool, o UpOptions) error {
	var boxes []*config.Box
	var halt []*Existing
	for _, x := range existing {
		if x.box == nil {
			x.voice.Warn("the Envfile does not declare it any more, so it is left as it is")
			continue
		}
		boxes, halt = append([]*config.Box{x.box}, boxes...), append(halt, x) // existing has them in the order of taking down
	}
	if _, err := e.examine(ctx, boxes, !o.NoProvision); err != nil {
		return err
	}
	if err := e.Halt(ctx, halt, force); err != nil {
		return err
	}
	return e.Up(ctx, boxes, o)
}

// exclusive calls f with the box's lock held, its record read again and its
// state known. A box that does not exist is said to be so, and no error.
func (e *Engine) exclusive(ctx context.Context, x *Existing, f func(p provider.Provider, now provider.Box) error) error {
	return e.locked(ctx, x, func(p provider.Provider) error {
		now, err := p.Inspect(ctx, x.record.ID)
		if errors.Is(err, provider.ErrNotFound) {
			x.voice.Say("does not exist")
			return nil
		}
		if err != nil {
			return err
		}
		if x.record, err = e.Home.Load(x.record.ID); err != nil {
			return err
		}
		return f(p, now)
	})
}

// resumed lets a suspended box go on, for a command that wants it up.
func (e *Engine) resumed(ctx context.Context, t *target) error {
	s, ok := t.plugin.(provider.Suspender)
	if !ok {
		return fmt.Errorf("the box is suspended, and its provider cannot resume it: %w", provider.ErrUnsupported)
	}
	if err := s.Resume(ctx, t.id); err != nil {
		return err
	}
	t.record.Suspended = false
	t.voice.Say("resumed")
	return e.Home.Save(t.record)
}
