package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// maxSteps bounds what steps that run before or after "each" other one come to.
const maxSteps = 1000

// reference is a before or after argument.
type reference struct {
	to   string // a step's name, "each" or "all"; empty when it was wrong
	attr *hcl.Attribute
}

func (r *reference) after() bool { return r.attr.Name == "after" }

// neighbours are the steps around something, each side in the order in which
// they are written.
type neighbours struct{ before, after []*Provisioner }

func (n *neighbours) add(p *Provisioner) {
	if p.ref.after() {
		n.after = append(n.after, p)
	} else {
		n.before = append(n.before, p)
	}
}

// decodeReference decodes before and after; nil: neither is written.
func (d *decoder) decodeReference(attrs hcl.Attributes) *reference {
	var refs []*reference
	for _, name := range []string{"before", "after"} {
		if a := attrs[name]; a != nil {
			r := &reference{attr: a}
			d.text(a, &r.to, checkName)
			refs = append(refs, r)
		}
	}
	switch len(refs) {
	case 0:
		return nil
	case 2:
		d.fail(refs[1].attr.NameRange, "Conflicting arguments", `A provisioner has "before" or "after", not both; "before" is at %s.`,
			place(refs[0].attr.NameRange))
	}
	return refs[0]
}

// ordered returns a box's steps in the order in which they run. Those with
// neither before nor after, the roots, run as they are written; around each of
// them those that name it, and around these those for "each". names are what
// before and after can say.
func (d *decoder) ordered(b *Box, named map[string]*Provisioner, names []string) []*Provisioner {
	var roots []*Provisioner
	var all, each neighbours
	of := map[*Provisioner]*neighbours{}
	for _, p := range b.Provisioners {
		of[p] = &neighbours{}
	}
	for _, p := range b.Provisioners {
		switch root := d.rootOf(p, named, names); {
		case p.ref == nil:
			roots = append(roots, p)
		case root != nil:
			of[root].add(p)
		case p.ref.to == "all":
			all.add(p)
		case p.ref.to == "each":
			each.add(p)
		}
	}
	if n := len(each.before) + len(each.after); n > 0 && n*len(roots) > maxSteps {
		first := slices.Concat(each.before, each.after)[0]
		d.fail(first.ref.attr.Expr.Range(), tooComplex, `The %d steps for "each" of %d others come to more than %d.`, n, len(roots), maxSteps)
		return b.Provisioners
	}
	out := all.before
	for _, root := range roots {
		out = append(out, copies(each.before, root)...)
		out = append(out, tied(of[root].before, root)...)
		out = append(out, root)
		out = append(out, tied(of[root].after, root)...)
		out = append(out, copies(each.after, root)...)
	}
	return append(out, all.after...)
}

// rootOf returns the step that before or after of p names; nil when they name
// none, or none that they can, which it reports.
func (d *decoder) rootOf(p *Provisioner, named map[string]*Provisioner, names []string) *Provisioner {
	if p.ref == nil || p.ref.to == "" {
		return nil
	}
	to, attr := p.ref.to, p.ref.attr
	root := named[to]
	switch {
	case to == "all" || to == "each":
		if root != nil {
			d.failValue(attr.Expr, "Ambiguous name", `The box has a provisioner named %q, at %s; give it another name, since %[1]q has a meaning here.`,
				to, place(root.nameRange))
		}
		return nil
	case root == nil:
		d.failValue(attr.Expr, "Unknown provisioner", "The box has no provisioner named %s.%s", quoted(to), didYouMean(to, names))
		return nil
	case root == p:
		d.failValue(attr.Expr, "Cycle", "The provisioner %q cannot run %s itself.", to, attr.Name)
		return nil
	case root.ref != nil:
		d.failValue(attr.Expr, "Invalid order", `The provisioner %q has %q itself, at %s, so no other can go by it. Name the one that it goes by.`,
			to, root.ref.attr.Name, place(root.ref.attr.NameRange))
		return nil
	}
	return root
}

// copies returns a copy of each step for its place beside root.
func copies(steps []*Provisioner, root *Provisioner) []*Provisioner {
	var out []*Provisioner
	for _, p := range steps {
		c := *p
		c.id, c.Personal = p.id+"@"+root.id, p.Personal || root.Personal
		out = append(out, &c)
	}
	return tied(out, root)
}

// tied makes steps run with root. One that never runs by itself still does not.
func tied(steps []*Provisioner, root *Provisioner) []*Provisioner {
	for _, p := range steps {
		switch {
		case p.Run == "never":
			continue
		case p.ref.after():
			p.After = root.id
		default:
			p.Before = root.id
		}
		if root.Run == "never" {
			p.Run = "never"
		}
	}
	return steps
}
