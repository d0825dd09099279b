package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// local is a named expression.
type local struct {
	attr  *hcl.Attribute
	layer Layer
	state localState
	value cty.Value
}

type localState int

const (
	localNew localState = iota
	localOpen
	localDone
)

// decodeLocals evaluates the locals of all files. They may use each other in
// any order; a later layer's replaces an earlier one's of the same name.
func (d *decoder) decodeLocals(blocks []declaration) {
	r := localResolver{d: d, locals: map[string]*local{}}
	d.scope.locals = map[string]bool{}
	for _, b := range blocks {
		attrs, diags := b.Body.JustAttributes()
		d.add(diags...)
		for _, a := range bySource(attrs) {
			if first := r.locals[a.Name]; first != nil && first.layer == b.layer {
				d.fail(a.NameRange, "Duplicate local", "The local %q is defined already, at %s.", a.Name, place(first.attr.NameRange))
				continue
			}
			r.locals[a.Name] = &local{attr: a, layer: b.layer, value: cty.DynamicVal}
			d.scope.locals[a.Name] = true
		}
	}
	marked, plain := map[string]cty.Value{}, map[string]cty.Value{}
	for _, l := range r.inOrder() {
		r.resolve(l.attr.Name)
		marked[l.attr.Name], plain[l.attr.Name] = l.value, open(l.value)
	}
	d.ctx, d.plain = withVar(d.ctx, "local", marked), withVar(d.plain, "local", plain)
}

// bySource sorts attributes as they are written.
func bySource(attrs hcl.Attributes) []*hcl.Attribute {
	out := make([]*hcl.Attribute, 0, len(attrs))
	for _, a := range attrs {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *hcl.Attribute) int { return a.Range.Start.Byte - b.Range.Start.Byte })
	return out
}

// maxCycle is how many locals of a cycle a message names.
const maxCycle = 8

type localResolver struct {
	d      *decoder
	locals map[string]*local
	path   []string // the locals being resolved, outermost first
}

// inOrder lists the locals by layer and place, so that the same file always
// gives the same complaint about a cycle.
func (r *localResolver) inOrder() []*local {
	out := make([]*local, 0, len(r.locals))
	for _, l := range r.locals {
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b *local) int {
		if a.layer != b.layer {
			return int(a.layer - b.layer)
		}
		return a.attr.Range.Start.Byte - b.attr.Range.Start.Byte
	})
	return out
}

// resolve evaluates a local after those it uses.
func (r *localResolver) resolve(name string) {
	l := r.locals[name]
	if l.state != localNew {
		return
	}
	l.state = localOpen
	r.path = append(r.path, name)
	ready := map[string]cty.Value{}
	usable := true
	for _, t := range l.attr.Expr.Variables() {
		if t.RootName() != "local" {
			continue
		}
		dep, ok := r.dependency(t)
		if !ok {
			usable = false
			break
		}
		if dep == "" {
			continue // unknown; eval reports it
		}
		r.resolve(dep)
		ready[dep] = r.locals[dep].value
	}
	r.path = r.path[:len(r.path)-1]
	l.state = localDone
	if !usable {
		return
	}
	r.d.foreign.add("local", name, r.d.foreignLocal(l))
	if v, ok := r.d.evalIn(l.attr.Expr, withVar(r.d.ctx, "local", ready)); ok {
		l.value = v
	}
}

// dependency returns the local that t names. It is false when t cannot be
// evaluated, which it reports.
func (r *localResolver) dependency(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		r.d.fail(t.SourceRange(), "Invalid reference", "Name one of the locals here: local.NAME.")
		return "", false
	}
	name, ok := stepName(t[1])
	if !ok {
		r.d.fail(t.SourceRange(), "Invalid reference", "Name one of the locals here: local.NAME.")
		return "", false
	}
	l := r.locals[name]
	if l == nil {
		return "", true
	}
	if l.state != localOpen {
		return name, true
	}
	between := r.path[slices.Index(r.path, name)+1:]
	if len(between) == 0 {
		r.d.fail(t.SourceRange(), "Cycle", "The local %q uses itself.", name)
		return "", false
	}
	if len(between) > maxCycle {
		between = append(slices.Clone(between[:maxCycle]), "...")
	}
	r.d.fail(t.SourceRange(), "Cycle", "The local %q uses itself: %s -> %s -> %s. %q is defined at %s.",
		name, name, strings.Join(between, " -> "), name, name, place(l.attr.NameRange))
	return "", false
}
