package engine

import "slices"

// chosen are steps of a box, by their IDs.
type chosen map[string]bool

// choose returns the steps that are wanted, with those that run before and after
// them whenever they do.
func (t *target) choose(wanted func(*step) bool) chosen {
	c := chosen{}
	for _, s := range t.steps {
		if wanted(s) {
			c[s.block.ID()] = true
		}
	}
	for _, s := range t.steps {
		if c[s.block.Beside()] { // never itself one that runs beside another
			c[s.block.ID()] = true
		}
	}
	return c
}

func (c chosen) has(s *step) bool { return c[s.block.ID()] }

// of returns the chosen among steps.
func (c chosen) of(steps []*step) []*step {
	return slices.DeleteFunc(slices.Clone(steps), func(s *step) bool { return !c.has(s) })
}

// ownSteps is how many steps run by themselves.
func (t *target) ownSteps() int {
	n := 0
	for _, s := range t.steps {
		if s.block.Run != "never" {
			n++
		}
	}
	return n
}
