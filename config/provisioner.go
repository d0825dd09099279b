package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// Provisioner is one step that sets a box up.
type Provisioner struct {
	Type        string           // which plugin: "shell", "file"
	Name        string           // unique in the box; empty: none was given
	Run         string           // once, always or never; once unless said otherwise
	Cache       *bool            // whether its outcome may be kept as a checkpoint; nil: not said
	Body        hcl.Body         // the plugin's arguments
	EvalContext *hcl.EvalContext // what the arguments may refer to
	DeclRange   hcl.Range        // the header of the block
	TypeRange   hcl.Range        // the type in the header

	id        string
	nameRange hcl.Range
	refs      []reference
	uses      []dependency // boxes whose values the arguments use
	boxes     *boxSet      // nil: it uses none
}

// ID names the step in its box and stays the same as long as the steps before
// it do: its name or, without one, its type, with a number from the second
// unnamed one of that type on: "shell-2".
func (p *Provisioner) ID() string { return p.id }

// reference is a before or after argument.
type reference struct {
	to   string
	attr *hcl.Attribute
}

func (d *decoder) decodeProvisioner(b *Box, block *hcl.Block) {
	p := &Provisioner{
		Type: block.Labels[0], Run: "once", EvalContext: d.plain,
		DeclRange: block.DefRange, TypeRange: block.LabelRanges[0], nameRange: block.LabelRanges[0],
	}
	if len(block.Labels) > 1 {
		p.Name, p.nameRange = block.Labels[1], block.LabelRanges[1]
		if err := checkName(p.Name); err != nil {
			d.fail(p.nameRange, "Invalid name", "A provisioner cannot be named %q: %s.", p.Name, err)
		}
	}
	if err := checkName(p.Type); err != nil {
		d.fail(p.TypeRange, "Invalid name", "There is no type %q of provisioners: %s.", p.Type, err)
	}
	content, rest, diags := block.Body.PartialContent(provisionerSchema)
	d.add(diags...)
	attrs := content.Attributes
	p.Body = rest
	d.choice(attrs["run"], &p.Run, "once", "always", "never")
	for _, name := range []string{"before", "after"} {
		if a := attrs[name]; a != nil {
			ref := reference{attr: a}
			d.text(a, &ref.to, nil)
			p.refs = append(p.refs, ref)
			d.checkYet(name, fmt.Sprintf("%q on a provisioner", name), a.NameRange)
		}
	}
	if a := attrs["cache"]; a != nil {
		cache := true
		d.boolean(a, &cache)
		p.Cache = &cache
	}
	d.inStep(func() { d.checkPluginBody(rest) })
	p.uses = d.usesOf(rest)
	b.Provisioners = append(b.Provisioners, p)
}

// checkProvisioners reports names given twice, gives every step its id, and
// reports before and after that name no step.
func (d *decoder) checkProvisioners(b *Box) {
	named := map[string]*Provisioner{}
	var names []string
	for _, p := range b.Provisioners {
		if p.Name == "" {
			continue
		}
		if first := named[p.Name]; first != nil {
			d.fail(p.nameRange, "Duplicate provisioner", "The box has a provisioner %q already, at %s.", p.Name, place(first.nameRange))
			continue
		}
		named[p.Name] = p
		names = append(names, p.Name)
	}
	assignIDs(b.Provisioners, named)
	names = append(names, "all", "each")
	for _, p := range b.Provisioners {
		for _, r := range p.refs {
			if r.to != "" && r.to != "all" && r.to != "each" && named[r.to] == nil {
				d.failValue(r.attr.Expr, "Unknown provisioner", "The box has no provisioner named %s.%s", quoted(r.to), didYouMean(r.to, names))
			}
		}
	}
}

func assignIDs(steps []*Provisioner, named map[string]*Provisioner) {
	next := map[string]int{}
	for _, p := range steps {
		if p.id = p.Name; p.id != "" {
			continue
		}
		for p.id == "" || named[p.id] != nil {
			next[p.Type]++
			if p.id = p.Type; next[p.Type] > 1 {
				p.id = fmt.Sprintf("%s-%d", p.Type, next[p.Type])
			}
		}
	}
}

// provisionerSchema holds what every provisioner takes; the rest is the
// plugin's.
var provisionerSchema = &hcl.BodySchema{Attributes: attributes("run", "before", "after", "cache")}
