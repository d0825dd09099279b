package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// checkBoxRef reports a use of box that cannot be.
func (d *decoder) checkBoxRef(t hcl.Traversal) bool {
	if !d.scope.inStep {
		d.fail(t.SourceRange(), "Unknown variable", "The values of a box are known once it is up, so only provisioner blocks can use them.%s", plainName(t))
		return false
	}
	name, ok := "", false
	if len(t) > 1 {
		name, ok = stepName(t[1])
	}
	if !ok {
		d.fail(t.SourceRange(), "Invalid reference", "Write out which box is meant, so that it can be brought up first: box.NAME.ip, or box.NAME[count.index].ip for one box of a block with \"count\".")
		return false
	}
	boxes, ok := d.boxes.named(name)
	if !ok {
		d.fail(t[:2].SourceRange(), "Unknown box", "There is no box %s.%s", quoted(name), didYouMean(name, d.boxes.names()))
		return false
	}
	value := 2 // where in t the value is named
	if g := d.boxes.group(name); g != nil && g.repeat != "" {
		if len(t) > 2 && !g.hasKey(t[2]) {
			d.fail(t[:3].SourceRange(), "Invalid reference", "%q is a block of several boxes, %s: say which, as in box.%[1]s[...].ip, or box.%[1]s[*].ip for all with \"count\".", name, listOf(boxes))
			return false
		}
		value = 3
	}
	if len(t) <= value {
		return true
	}
	if got, ok := stepName(t[value]); !ok || !slices.Contains(boxValues(), got) {
		d.fail(t[:value+1].SourceRange(), "Unknown variable", "A box has no value %q; there are %s.%s", got, listOf(boxValues()), didYouMean(got, boxValues()))
		return false
	}
	return true
}

// plainName says how to write the name of a box for box.NAME and box.NAME.name,
// which nothing but a provisioner takes. It begins with a space or is empty.
func plainName(t hcl.Traversal) string {
	if len(t) != 2 && len(t) != 3 {
		return ""
	}
	name, ok := stepName(t[1])
	if value, _ := stepName(t[len(t)-1]); !ok || len(t) == 3 && value != "name" {
		return ""
	}
	return fmt.Sprintf(" To name the box, as in depends_on, write %s.", quoted(name))
}

// hasKey reports whether a step of a traversal names a box of the block.
func (g *boxGroup) hasKey(step hcl.Traverser) bool {
	if g.repeat == "for_each" {
		key, ok := stepName(step)
		return ok && slices.ContainsFunc(g.instances, func(i *instance) bool { return i.key == key })
	}
	index, ok := step.(hcl.TraverseIndex)
	return ok && slices.ContainsFunc(g.instances, func(i *instance) bool { return i.vars["index"].RawEquals(index.Key) })
}

// inStep decodes the arguments of a step with f, which may use values of boxes.
func (d *decoder) inStep(f func()) {
	ctx := d.ctx
	d.ctx = withVar(d.ctx, "box", d.boxes.unknown)
	d.scope.inStep = true
	f()
	d.ctx, d.scope.inStep = ctx, false
}

// variables lists what expr refers to. Where a key can be evaluated, as in
// box.web[count.index], it is part of the traversal.
func variables(expr hcl.Expression, ctx *hcl.EvalContext) []hcl.Traversal {
	all := expr.Variables()
	node, ok := expr.(hclsyntax.Node)
	if !ok || !slices.ContainsFunc(all, func(t hcl.Traversal) bool { return t.RootName() == "box" }) {
		return all
	}
	keys := map[hcl.Range]hcl.TraverseIndex{}
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		index, isIndex := n.(*hclsyntax.IndexExpr)
		if !isIndex {
			return nil
		}
		if of, isVar := index.Collection.(*hclsyntax.ScopeTraversalExpr); isVar && of.Traversal.RootName() == "box" {
			if key, diags := index.Key.Value(ctx); !diags.HasErrors() && key.IsKnown() && !key.IsNull() {
				keys[of.SrcRange] = hcl.TraverseIndex{Key: open(key), SrcRange: index.BracketRange}
			}
		}
		return nil
	})
	for i, t := range all {
		if key, ok := keys[t.SourceRange()]; ok {
			all[i] = append(slices.Clone(t), key)
		}
	}
	return all
}

// usesOf lists the boxes whose values a body uses.
func (d *decoder) usesOf(body hcl.Body) []dependency {
	b, ok := body.(*hclsyntax.Body)
	if !ok {
		return nil
	}
	var out []dependency
	attrs, _ := b.JustAttributes() // it complains of blocks
	for _, a := range bySource(attrs) {
		for _, t := range variables(a.Expr, d.plain) {
			if t.RootName() != "box" || len(t) < 2 {
				continue
			}
			name, _ := stepName(t[1])
			for _, on := range d.usedBoxes(name, t) {
				out = append(out, dependency{on: on, at: t.SourceRange()})
			}
		}
	}
	for _, block := range b.Blocks {
		out = append(out, d.usesOf(block.Body)...)
	}
	return out
}

// usedBoxes returns which boxes a traversal that begins with box.NAME uses.
func (d *decoder) usedBoxes(name string, t hcl.Traversal) []string {
	boxes, _ := d.boxes.named(name)
	g := d.boxes.group(name)
	if g == nil || g.repeat == "" || len(t) < 3 {
		return boxes
	}
	for _, i := range g.instances { // only one of them, if the key is written out
		one := boxGroup{repeat: g.repeat, instances: []*instance{i}}
		if one.hasKey(t[2]) {
			return []string{i.name}
		}
	}
	return boxes
}
