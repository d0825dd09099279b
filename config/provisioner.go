package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Provisioner is one step that sets a box up.
type Provisioner struct {
	Type        string           // which plugin: "shell", "file"
	Name        string           // unique in the box; empty: none was given
	Run         string           // once, always or never; once unless said otherwise, never for one that goes by such a step
	Cache       *bool            // whether its outcome may be kept as a checkpoint; nil: not said
	Body        hcl.Body         // the plugin's arguments
	EvalContext *hcl.EvalContext // what the arguments may refer to
	DeclRange   hcl.Range        // the header of the block
	TypeRange   hcl.Range        // the type in the header

	// Before or After is the ID of the step that this one runs with: immediately
	// before or after it, whenever that runs. Both are empty for one of which only
	// its own Run decides.
	Before, After string

	// Foreign says why the arguments can differ between users of the project, or
	// are secret; empty: they come from the Envfile and the project's files alone.
	Foreign  string
	Personal bool // its block, or the one it stands at, is not in the project's Envfile

	id        string
	nameRange hcl.Range
	ref       *reference   // nil: it has neither before nor after
	uses      []dependency // boxes whose values the arguments use
	boxes     *boxSet      // nil: it uses none
}

// ID names the step in its box and stays the same as long as the steps before
// it do: its name or, without one, its type, with a number from the second
// unnamed one of that type on: "shell-2". A block that stands at each other step
// makes a step for each of them: "log@shell-2".
func (p *Provisioner) ID() string { return p.id }

// Called reports whether a user who writes name means the step: by its ID, or by
// that of its block for all that the block makes.
func (p *Provisioner) Called(name string) bool {
	block, _, _ := strings.Cut(p.id, "@")
	return name == p.id || name == block
}

// Beside is the ID of the step that this one runs with, empty for none.
func (p *Provisioner) Beside() string { return cmp.Or(p.Before, p.After) }

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
	d.dropNulls(attrs)
	d.choice(attrs["run"], &p.Run, "once", "always", "never")
	p.ref = d.decodeReference(attrs)
	if a := attrs["cache"]; a != nil {
		cache := true
		d.boolean(a, &cache)
		p.Cache = &cache
	}
	d.inStep(func() {
		d.checkPluginBody(rest)
		p.Body = d.withoutNulls(rest)
	})
	p.uses = d.usesOf(rest)
	p.Foreign, p.Personal = d.foreignInBody(rest), p.DeclRange.Filename != d.project
	b.Provisioners = append(b.Provisioners, p)
}

// checkProvisioners reports names given twice, gives every step its id, and puts
// the steps into the order in which they run.
func (d *decoder) checkProvisioners(b *Box) {
	named := map[string]*Provisioner{}
	names := []string{"all", "each"}
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
	b.Provisioners = d.ordered(b, named, names)
}

// assignIDs numbers the project's own steps first, so that they are called the
// same for all its users.
func assignIDs(steps []*Provisioner, named map[string]*Provisioner) {
	next := map[string]int{}
	ownFirst := slices.Clone(steps)
	slices.SortStableFunc(ownFirst, func(a, b *Provisioner) int {
		switch {
		case a.Personal == b.Personal:
			return 0
		case b.Personal:
			return -1
		}
		return 1
	})
	for _, p := range ownFirst {
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
