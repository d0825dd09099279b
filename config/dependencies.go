package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// dependency is a box that another one needs to be up before it, and where that
// is said.
type dependency struct {
	on string
	at hcl.Range
}

// checkDependencies finds out what each box depends on: what depends_on names,
// and the boxes whose values its steps use. It reports unknown names, and boxes
// that wait for themselves.
func (d *decoder) checkDependencies(e *Envfile) {
	deps := map[*Box][]dependency{}
	var before *Box
	for _, b := range e.Boxes {
		d.again = before != nil && before.Block == b.Block
		before = b
		all := d.written(b)
		for _, p := range b.Provisioners {
			for _, use := range p.uses {
				if use.on != b.Name { // its own address is known when its steps run
					all = append(all, use)
				}
			}
		}
		deps[b] = all
		b.DependsOn = nil
		for _, dep := range all {
			if !slices.Contains(b.DependsOn, dep.on) {
				b.DependsOn = append(b.DependsOn, dep.on)
			}
		}
	}
	d.again = false
	c := cycles{d: d, e: e, deps: deps, done: map[string]bool{}, reported: map[hcl.Range]bool{}}
	for _, b := range e.Boxes {
		c.visit(b)
	}
}

// written returns what the box's depends_on names. The name of a repeated block
// stands for all of its boxes.
func (d *decoder) written(b *Box) []dependency {
	var out []dependency
	for i, name := range b.DependsOn {
		at := elementRange(b.dependsOn, i, len(b.DependsOn))
		boxes, ok := d.boxes.named(name)
		switch {
		case !ok:
			d.failPart(b.dependsOn, at, "Unknown box", "There is no box %s.%s", quoted(name), didYouMean(name, d.boxes.names()))
		case slices.Contains(boxes, b.Name):
			d.failPart(b.dependsOn, at, "Cycle", "The box %q depends on itself.", b.Name)
		default:
			for _, on := range boxes {
				out = append(out, dependency{on: on, at: at})
			}
		}
	}
	return out
}

// elementRange returns where element i of n was written, when the list is
// written out, else where the whole is.
func elementRange(list hcl.Expression, i, n int) hcl.Range {
	if exprs, diags := hcl.ExprList(list); !diags.HasErrors() && len(exprs) == n {
		return exprs[i].Range()
	}
	return list.Range()
}

// cycles looks for boxes that wait for each other and reports each cycle once,
// at its last edge.
type cycles struct {
	d        *decoder
	e        *Envfile
	deps     map[*Box][]dependency
	done     map[string]bool
	path     []string    // the boxes being looked at, outermost first
	taken    []hcl.Range // why each of them waits for the next
	reported map[hcl.Range]bool
}

func (c *cycles) visit(b *Box) {
	if c.done[b.Name] {
		return
	}
	c.path = append(c.path, b.Name)
	for _, dep := range c.deps[b] {
		other := c.e.Box(dep.on)
		if other == nil || c.done[dep.on] {
			continue
		}
		c.taken = append(c.taken, dep.at)
		if i := slices.Index(c.path, dep.on); i >= 0 {
			c.report(i)
		} else {
			c.visit(other)
		}
		c.taken = c.taken[:len(c.taken)-1]
	}
	c.path = c.path[:len(c.path)-1]
	c.done[b.Name] = true
}

// report reports the cycle that begins at place i of the path. Those of other
// boxes of the same blocks would say the same.
func (c *cycles) report(i int) {
	at := c.taken[len(c.taken)-1]
	if c.reported[at] {
		return
	}
	c.reported[at] = true
	var text strings.Builder
	for j, name := range c.path[i:] {
		fmt.Fprintf(&text, "%s (%s) -> ", name, place(c.taken[i+j]))
	}
	c.d.fail(at, "Cycle", "These boxes wait for each other: %s%s.", text.String(), c.path[i])
}
