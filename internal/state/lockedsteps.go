package state

import (
	"fmt"
	"slices"
)

// LockedBox is what the steps of a box are, in the order in which they run.
type LockedBox struct {
	Box   string       `json:"box"`
	Steps []LockedStep `json:"steps"`
}

// LockedStep is what a step consists of. It is the same for everybody who has the
// project's files: of the plugin it knows the name only, since those are locked
// by themselves or come with berth.
type LockedStep struct {
	Step string `json:"step"`
	Type string `json:"type"`
	Run  string `json:"run"`
	// Open says why it cannot be told what the step consists of; empty: Parts do.
	Open string `json:"open,omitempty"`
	// Parts are the sha256 of each argument and file by its name: "argument
	// inline", "file setup.sh".
	Parts map[string]string `json:"parts,omitempty"`
}

// Box returns the lock of a box, nil when there is none.
func (l *LockFile) Box(name string) *LockedBox {
	i := slices.IndexFunc(l.Boxes, func(b LockedBox) bool { return b.Box == name })
	if i < 0 {
		return nil
	}
	return &l.Boxes[i]
}

// Step returns the lock of a step by its ID, nil when there is none.
func (b *LockedBox) Step(id string) *LockedStep {
	i := slices.IndexFunc(b.Steps, func(s LockedStep) bool { return s.Step == id })
	if i < 0 {
		return nil
	}
	return &b.Steps[i]
}

// twice names something that the lock has two entries for, empty if there is
// nothing: a merge joins lines without knowing what they mean.
func (l *LockFile) twice() string {
	seen := map[string]bool{}
	found := ""
	once := func(what string) {
		if seen[what] && found == "" {
			found = what
		}
		seen[what] = true
	}
	for _, i := range l.Images {
		once(fmt.Sprintf("image %q for %q", i.Image, i.Provider+" on "+i.Arch))
	}
	for _, p := range l.Plugins {
		once(fmt.Sprintf("%q plugin %q for %q", p.Kind, p.Name, p.Arch))
	}
	for _, b := range l.Boxes {
		once(fmt.Sprintf("box %q", b.Box))
		for _, s := range b.Steps {
			once(fmt.Sprintf("step %q of box %q", s.Step, b.Box))
		}
	}
	return found
}
