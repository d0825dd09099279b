package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// Change is one thing that is not as the Envfile says.
type Change struct {
	Kind string // "create", "start", "resume", "limits", "reload", "image", "user", "restore", "forward", "step", "destroy", "unknown"
	What string // `step shell "setup"`
	Why  string
	// Command is what makes it so, if `berth up` does not.
	Command string
	// Always says that it is done each time, whatever there is.
	Always bool
}

// Plan is what up would do to one box.
type Plan struct {
	Box     string
	State   provider.State
	Changes []Change
}

// Plan tells what Up would do to boxes and to those they depend on, and what
// other commands would have to. It changes nothing and takes no lock. With
// others set it also tells of boxes that the Envfile does not declare.
func (e *Engine) Plan(ctx context.Context, boxes []*config.Box, others bool) ([]Plan, error) {
	boxes, _ = withNeeds(e.Envfile, boxes)
	targets, err := e.examine(ctx, boxes, true)
	if err != nil {
		return nil, err
	}
	plans := make([]Plan, len(targets))
	errs := make([]error, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() { plans[i], errs[i] = e.plan(ctx, t) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil || ctx.Err() != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	if others {
		undeclared, err := e.planUndeclared()
		return append(plans, undeclared...), err
	}
	return plans, nil
}

// plan looks at one box.
func (e *Engine) plan(ctx context.Context, t *target) (Plan, error) {
	p := Plan{Box: t.box.Name, State: NotCreated}
	now, err := provider.Box{}, provider.ErrNotFound
	if t.id != "" {
		asked, cancel := context.WithTimeout(ctx, inspectTimeout)
		defer cancel()
		now, err = t.plugin.Inspect(asked, t.id)
	}
	missing := errors.Is(err, provider.ErrNotFound)
	if err != nil && !missing {
		p.State = provider.Unknown
		p.add(Change{Kind: "unknown", What: "nothing is done", Why: "how the box is could not be found out: " + err.Error()})
		return p, nil
	}
	if missing || t.record == nil || !t.record.Made {
		if d := e.imageDiagnostic(ctx, t); d != nil {
			return p, &DiagError{hcl.Diagnostics{d}}
		}
		create, steps := e.planCreate(ctx, t, missing), planSteps(t, t.record)
		if missing {
			create, steps = e.planBeginning(ctx, t, create)
		}
		p.add(create, Change{Kind: "start", What: "start", Why: "it is new"})
		p.add(steps...)
		return p, nil
	}
	p.State = now.State
	if t.record.Image != t.box.Image {
		p.add(Change{Kind: "image", What: "image", Why: fmt.Sprintf("it was made from %s and the Envfile now says %s", t.record.Image, t.box.Image),
			Command: fmt.Sprintf("berth destroy %s && berth up %[1]s", t.box.Name)})
	}
	if t.record.SSH.User != t.box.SSH.User {
		p.add(Change{Kind: "user", What: "login user", Why: fmt.Sprintf("it is %s and the Envfile now says %s", t.record.SSH.User, t.box.SSH.User),
			Command: fmt.Sprintf("berth destroy %s && berth up %[1]s", t.box.Name)})
	}
	if t.record.Restoring != "" {
		p.add(Change{Kind: "restore", What: "restore snapshot " + t.record.Restoring, Why: "that was interrupted"})
	}
	switch now.State {
	case provider.Stopped:
		p.add(Change{Kind: "start", What: "start", Why: "it is stopped"})
	case provider.Frozen:
		p.add(Change{Kind: "resume", What: "resume", Why: "it is suspended"})
		fallthrough
	case provider.Running:
		p.add(e.planFacts(t, now)...)
		forwards, err := e.planForwards(t, now.SSHAddr)
		if err != nil {
			return p, err
		}
		p.add(forwards...)
	}
	e.resolveSome(ctx, t)
	p.add(planSteps(t, t.record)...)
	return p, nil
}

func (p *Plan) add(changes ...Change) { p.Changes = append(p.Changes, changes...) }

// planCreate tells why a box is made, and from what.
func (e *Engine) planCreate(ctx context.Context, t *target, missing bool) Change {
	c := Change{Kind: "create", What: "create from " + t.box.Image, Why: "the box does not exist"}
	switch {
	case t.record != nil && t.record.Made:
		c.Why = "it is gone, though it was not destroyed with berth"
	case t.record != nil:
		c.Why = "its creation was interrupted"
	case !missing:
		c.Why = "it is there, and its record is lost"
	}
	if _, err := e.imageOf(ctx, t, false); errors.Is(err, provider.ErrImage) {
		c.What += ", which is not on this host yet"
	}
	return c
}

// planBeginning tells from which checkpoint a new box is made, and which steps
// are left to run then.
func (e *Engine) planBeginning(ctx context.Context, t *target, create Change) (Change, []Change) {
	begin := e.beginnings(ctx, t)
	if len(begin) == 0 {
		return create, planSteps(t, nil)
	}
	done := begin[0].steps
	create.What += fmt.Sprintf(", %d of %d steps from checkpoints", len(done), t.ownSteps())
	return create, planSteps(t, &state.Record{Steps: done})
}

// planFacts tells what the Envfile says otherwise than when the box was started.
func (e *Engine) planFacts(t *target, now provider.Box) []Change {
	wanted := e.spec(t, state.Keys{}).Resources
	live, others := changedFacts(t.record.Facts, e.facts(t), now.Limits, wanted)
	var changes []Change
	for _, name := range others {
		c := Change{Kind: "reload", What: name, Why: "the Envfile has changed since it was started", Command: "berth reload " + t.box.Name}
		if name == diskFact {
			c.Why = limitsText(provider.Resources{Disk: now.Limits.Disk}, provider.Resources{Disk: wanted.Disk})
		}
		if file, ok := strings.CutPrefix(name, protectedFact); ok {
			c.What = file
			c.Why = "it was made or replaced on the host since the box was started, which can write to it"
		}
		changes = append(changes, c)
	}
	if len(live) > 0 {
		if !slices.Contains(live, diskFact) { // a provider may have rounded it
			wanted.Disk = now.Limits.Disk
		}
		changes = append(changes, Change{Kind: "limits", What: "limits", Why: limitsText(now.Limits, liveLimits(now.Limits, wanted))})
	}
	return changes
}

// limitsText says which limits change, from what the kernel has to what the
// Envfile says.
func limitsText(now, wanted provider.Resources) string {
	is, will := limitTexts(now), limitTexts(wanted)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if is[name] != will[name] {
			all = append(all, fmt.Sprintf("%s %s -> %s", name, is[name], will[name]))
		}
	}
	if len(all) == 0 {
		return "the Envfile has changed since it was started"
	}
	return strings.Join(all, ", ")
}

func limitTexts(r provider.Resources) map[string]string {
	texts := map[string]string{
		"cpus": fmt.Sprint(r.CPUs), "cpu_weight": fmt.Sprint(r.CPUWeight), "cpuset": r.CPUSet,
		"memory": sizeText(r.Memory), "pids": fmt.Sprint(r.PIDs), "disk": sizeText(r.Disk), "io.weight": fmt.Sprint(r.IO.Weight),
		"io.read": sizeText(r.IO.Read), "io.write": sizeText(r.IO.Write),
		"io.read_iops": fmt.Sprint(r.IO.ReadIOPS), "io.write_iops": fmt.Sprint(r.IO.WriteIOPS),
	}
	allCPUs := "0"
	if n := runtime.NumCPU(); n > 1 {
		allCPUs = fmt.Sprintf("0-%d", n-1)
	}
	for name, text := range texts {
		// The kernel has a weight and a set also where none was asked for.
		if text == "0" && name != "cpuset" || text == "" || strings.HasSuffix(name, "weight") && text == "100" || name == "cpuset" && text == allCPUs {
			texts[name] = "none"
		}
	}
	texts["swap"] = "none"
	if r.Swap != nil { // 0 forbids it
		texts["swap"] = sizeText(*r.Swap)
	}
	return texts
}

// sizeText is a number of bytes as the Envfile has it.
func sizeText(n int64) string {
	units := []string{"", "KiB", "MiB", "GiB"}
	i := 0
	for n >= 1024 && n%1024 == 0 && i < len(units)-1 {
		n, i = n/1024, i+1
	}
	return fmt.Sprintf("%d%s", n, units[i])
}

// planUndeclared tells of boxes that the Envfile has lost.
func (e *Engine) planUndeclared() ([]Plan, error) {
	existing, err := e.Existing(nil)
	var plans []Plan
	for _, x := range existing {
		if x.box == nil {
			plans = append(plans, Plan{Box: x.Name(), State: provider.Unknown, Changes: []Change{{
				Kind: "destroy", What: "destroy", Why: "it is not in the Envfile any more", Command: "berth destroy " + x.Name(),
			}}})
		}
	}
	return plans, err
}
