package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-dev/berth/internal/state"
)

// compareSteps tells how the steps of boxes differ from a lock. Of boxes that
// only the lock has it says nothing.
func compareSteps(lock, now *state.LockFile) []Difference {
	var all []Difference
	for _, b := range now.Boxes {
		locked := lock.Box(b.Box)
		if locked == nil {
			all = append(all, Difference{What: fmt.Sprintf("box %q", b.Box), Text: "its steps are not locked", New: true})
			continue
		}
		all = append(all, compareBox(locked, &b)...)
	}
	return all
}

func compareBox(locked, now *state.LockedBox) []Difference {
	var all []Difference
	var was, is []string // what both have, in the order of each
	for _, s := range now.Steps {
		l := locked.Step(s.Step)
		d := Difference{What: fmt.Sprintf("step %q of box %q", s.Step, now.Box)}
		switch {
		case l == nil:
			d.Text, d.New = "it is not locked", true
		case l.Open != "" && s.Open == "":
			d.Text, d.New = "the lock does not say what it consists of", true
		default:
			d.Text = compareStep(l, &s)
		}
		if l != nil {
			is = append(is, s.Step)
		}
		if d.Text != "" {
			all = append(all, d)
		}
	}
	for _, l := range locked.Steps {
		if now.Step(l.Step) != nil {
			was = append(was, l.Step)
			continue
		}
		all = append(all, Difference{What: fmt.Sprintf("step %q of box %q", l.Step, now.Box),
			Text: "it is locked, and the Envfile does not have it", Gone: true})
	}
	if !slices.Equal(was, is) {
		all = append(all, Difference{What: fmt.Sprintf("box %q", now.Box),
			Text: fmt.Sprintf("its steps run in the order %s, locked is %s", quoted(is), quoted(was))})
	}
	return all
}

// compareStep says how a step differs from the locked one; empty: it does not.
func compareStep(locked, now *state.LockedStep) string {
	var differ []string
	if locked.Type != now.Type {
		differ = append(differ, fmt.Sprintf("its type is %q, locked is %q", now.Type, locked.Type))
	}
	if locked.Run != now.Run {
		differ = append(differ, fmt.Sprintf("run is %q, locked is %q", now.Run, locked.Run))
	}
	switch {
	case now.Open != "" && locked.Open == "":
		differ = append(differ, "it cannot be compared: "+now.Open)
	case now.Open == "":
		if parts := changedParts(locked.Parts, now.Parts); len(parts) > 0 {
			differ = append(differ, "it is not what is locked: "+strings.Join(parts, ", "))
		}
	}
	return strings.Join(differ, "; ")
}
