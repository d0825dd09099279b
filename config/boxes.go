package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// decodeBoxes makes every box from the defaults and from its own blocks.
func (d *decoder) decodeBoxes(e *Envfile, decls declarations) {
	groups := d.groupBoxes(decls.boxes)
	d.boxes = newBoxSet(groups)
	if d.tooManyBlocks(groups, decls.defaults) {
		return
	}
	// The defaults are decoded once for what is wrong with them, and then
	// silently for each box.
	scratch := newBox("defaults")
	for _, b := range decls.defaults {
		d.decodeBox(scratch, b.Body, defaultsSchema)
	}
	for _, g := range groups {
		for _, i := range g.instances {
			d.within(g, i, func() { e.Boxes = append(e.Boxes, d.decodeInstance(g, i, decls.defaults)) })
		}
		if len(g.instances) == 0 { // it may have mistakes all the same
			d.within(g, nil, func() { d.decodeInstance(g, &instance{name: g.name}, nil) })
		}
	}
	d.boxes.finish(e)
}

func (d *decoder) decodeInstance(g *boxGroup, i *instance, defaults []declaration) *Box {
	box := d.boxFromDefaults(i.name, g.first(), defaults)
	box.Block, box.Personal = g.name, g.first().DefRange.Filename != d.project
	for _, b := range g.blocks {
		d.decodeBox(box, b.Body, boxSchema)
	}
	for _, b := range i.overrides {
		d.decodeBox(box, b.Body, boxSchema)
	}
	return box
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

// groupBoxes sorts out which blocks make which boxes.
func (d *decoder) groupBoxes(decls []declaration) []*boxGroup {
	var groups []*boxGroup
	byName := map[string]*boxGroup{}
	for _, b := range decls {
		name := b.Labels[0]
		if err := checkName(name); err != nil {
			d.fail(b.LabelRanges[0], "Invalid name", "A box cannot be named %q: %s.", name, err)
			continue
		}
		g := byName[name]
		if g == nil {
			g = &boxGroup{name: name}
			byName[name] = g
			groups = append(groups, g)
		}
		if n := len(g.blocks); n > 0 && g.blocks[n-1].layer == b.layer {
			d.fail(b.LabelRanges[0], "Duplicate box", "The box %q is declared already, at %s.", name, place(g.blocks[n-1].DefRange))
			continue
		}
		g.blocks = append(g.blocks, b)
	}
	for _, g := range groups {
		d.expand(g)
	}
	return d.distinctBoxes(groups)
}

// distinctBoxes reports boxes that two blocks make. A block of a stronger layer
// that has the name of one instance of a repeated block is no box of its own but
// overrides that instance.
func (d *decoder) distinctBoxes(groups []*boxGroup) []*boxGroup {
	owners := map[string]*boxGroup{}
	for _, g := range groups {
		if g.repeat != "" {
			for _, i := range g.instances {
				if first := owners[i.name]; first != nil {
					d.fail(i.at, "Duplicate box", "The box %q is made already by the block at %s.", i.name, place(first.first().DefRange))
				}
				owners[i.name] = g
			}
		}
	}
	var out []*boxGroup
	for _, g := range groups {
		owner := owners[g.name]
		if owner == nil {
			out = append(out, g)
			continue
		}
		at := g.first().LabelRanges[0]
		switch {
		case owner == g || g.blocks[0].layer <= owner.blocks[0].layer:
			d.fail(at, "Duplicate box", "The box %q is made already by the %q of the block at %s.", g.name, owner.repeat, place(owner.first().DefRange))
		case g.repeat != "":
			d.fail(at, "Duplicate box", "This overrides one box of the block at %s, so it cannot have %q.", place(owner.first().DefRange), g.repeat)
		default:
			i := owner.instance(g.name)
			i.overrides = append(i.overrides, g.blocks...)
		}
	}
	return out
}

// checkBoxes checks what can be known of the boxes only when all layers are
// applied.
func (d *decoder) checkBoxes(e *Envfile) {
	var primary, before *Box
	for _, b := range e.Boxes {
		d.again = before != nil && before.Block == b.Block
		before = b
		if !b.imageGiven {
			d.fail(b.DeclRange, "Missing image", `The box %q has no image. Write image = "debian:bookworm" in it, or in a defaults block for all boxes.`, b.Name)
		}
		if err := checkHostname(b.Hostname); err != nil && b.Hostname == b.Name {
			d.fail(b.DeclRange, "Invalid value", "The name %q cannot be the box's hostname: %s. Write a hostname.", b.Name, err)
		}
		if b.Primary {
			switch {
			case primary == nil:
				primary = b
			case primary.Range("primary") == b.Range("primary"):
				d.fail(b.Range("primary"), "Two primary boxes", "At most one box can be primary, and this makes both %q and %q so. To choose the first, write primary = %s.",
					primary.Name, b.Name, d.isFirst(b))
			default:
				d.fail(b.Range("primary"), "Two primary boxes", "At most one box can be primary; %q is already, at %s.", primary.Name, place(primary.Range("primary")))
			}
		}
		d.checkProvisioners(b)
	}
	d.again = false
	d.checkNetworks(e)
	d.checkForwards(e)
	d.checkDependencies(e)
}

// isFirst is an expression that is true for the first box alone of those that
// b's block makes.
func (d *decoder) isFirst(b *Box) string {
	if g := d.boxes.group(b.Block); g.repeat == "for_each" {
		return fmt.Sprintf("each.key == %q", g.instances[0].key)
	}
	return "count.index == 0"
}
