package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// maxBoxes is more than fit in the subnet of one bridge.
const maxBoxes = 250

// decodeBoxes makes every box from the defaults and from its own blocks.
func (d *decoder) decodeBoxes(e *Envfile, decls declarations) {
	// The defaults are decoded once for what is wrong with them, and then
	// silently for each box.
	scratch := newBox("defaults")
	for _, b := range decls.defaults {
		d.decodeBox(scratch, b.Body, defaultsSchema)
	}
	layers := map[string]declaration{}
	for _, b := range decls.boxes {
		name := b.Labels[0]
		if err := checkName(name); err != nil {
			d.fail(b.LabelRanges[0], "Invalid name", "A box cannot be named %q: %s.", name, err)
			continue
		}
		if first, ok := layers[name]; ok && first.layer == b.layer {
			d.fail(b.LabelRanges[0], "Duplicate box", "The box %q is declared already, at %s.", name, place(first.DefRange))
			continue
		}
		layers[name] = b
		box := e.Box(name)
		if box == nil {
			if len(e.Boxes) == maxBoxes {
				d.fail(b.DefRange, "Too many boxes", "An Envfile can declare %d boxes.", maxBoxes)
				return
			}
			box = d.boxFromDefaults(name, b.Block, decls.defaults)
			e.Boxes = append(e.Boxes, box)
		}
		d.decodeBox(box, b.Body, boxSchema)
	}
}

func (d *decoder) boxFromDefaults(name string, b *hcl.Block, defaults []declaration) *Box {
	box := newBox(name)
	box.DeclRange = b.DefRange
	box.Provider.DeclRange = b.DefRange
	box.Folders[0].DeclRange = b.DefRange
	box.Provider.EvalContext = d.plain
	d.quiet = true
	for _, def := range defaults {
		d.decodeBox(box, def.Body, defaultsSchema)
	}
	d.quiet = false
	return box
}

// checkBoxes checks what can be known of the boxes only when all layers are
// applied.
func (d *decoder) checkBoxes(e *Envfile) {
	var primary *Box
	for _, b := range e.Boxes {
		if !b.imageGiven {
			d.fail(b.DeclRange, "Missing image", `The box %q has no image. Write image = "debian:bookworm" in it, or in a defaults block for all boxes.`, b.Name)
		}
		if err := checkHostname(b.Hostname); err != nil && b.Hostname == b.Name {
			d.fail(b.DeclRange, "Invalid value", "The box's name cannot be its hostname: %s. Write a hostname.", err)
		}
		if b.Primary {
			if primary != nil {
				d.fail(b.Range("primary"), "Two primary boxes", "At most one box can be primary; %q is already, at %s.", primary.Name, place(primary.Range("primary")))
			} else {
				primary = b
			}
		}
		d.checkProvisioners(b)
	}
	d.checkDependencies(e)
}

// checkDependencies reports unknown names, and boxes that wait for themselves.
func (d *decoder) checkDependencies(e *Envfile) {
	var names []string
	for _, b := range e.Boxes {
		names = append(names, b.Name)
	}
	for _, b := range e.Boxes {
		for i, dep := range b.DependsOn {
			at := elementRange(b.dependsOn, i, len(b.DependsOn))
			switch {
			case dep == b.Name:
				d.failPart(b.dependsOn, at, "Cycle", "The box %q depends on itself.", dep)
			case !slices.Contains(names, dep):
				d.failPart(b.dependsOn, at, "Unknown box", "There is no box %s.%s", quoted(dep), didYouMean(dep, names))
			}
		}
		b.DependsOn = distinct(b.DependsOn)
	}
	d.checkCycles(e)
}

// elementRange returns where element i of n was written, when the list is
// written out, else where the whole is.
func elementRange(list hcl.Expression, i, n int) hcl.Range {
	if exprs, diags := hcl.ExprList(list); !diags.HasErrors() && len(exprs) == n {
		return exprs[i].Range()
	}
	return list.Range()
}

// distinct drops repetitions and keeps the order.
func distinct(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// checkCycles reports each cycle once, at its last edge.
func (d *decoder) checkCycles(e *Envfile) {
	done := map[string]bool{}
	var path []string
	var visit func(b *Box)
	visit = func(b *Box) {
		path = append(path, b.Name)
		for _, dep := range b.DependsOn {
			other := e.Box(dep)
			if other == nil || other == b || done[dep] {
				continue
			}
			if i := slices.Index(path, dep); i >= 0 {
				var cycle strings.Builder
				for _, name := range path[i:] {
					fmt.Fprintf(&cycle, "%s (%s) -> ", name, place(e.Box(name).Range("depends_on")))
				}
				d.failPart(b.dependsOn, b.Range("depends_on"), "Cycle", "These boxes wait for each other: %s%s.", cycle.String(), dep)
				continue
			}
			visit(other)
		}
		path = path[:len(path)-1]
		done[b.Name] = true
	}
	for _, b := range e.Boxes {
		if !done[b.Name] {
			visit(b)
		}
	}
}
