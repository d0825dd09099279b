package config

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// An argument that is null is as if it were not written. So that nobody has to think
// of that, such arguments are taken away before anything looks at a block.

// isNull reports whether an argument counts as not written. What is wrong with it
// is reported when its value is wanted.
func (d *decoder) isNull(a *hcl.Attribute) bool {
	switch e := a.Expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		return e.Val.IsNull()
	case *hclsyntax.TemplateExpr, *hclsyntax.TupleConsExpr, *hclsyntax.ObjectConsExpr, *hclsyntax.ForExpr:
		return false // and their values can be large
	}
	quiet, spent := d.quiet, d.spent
	d.quiet = true
	v, ok := d.eval(a.Expr)
	d.quiet, d.spent = quiet, spent
	return ok && v.IsNull()
}

// dropNulls takes the arguments away that are null.
func (d *decoder) dropNulls(attrs hcl.Attributes) {
	maps.DeleteFunc(attrs, func(_ string, a *hcl.Attribute) bool { return d.isNull(a) })
}

// withoutNulls returns a plugin's body without the arguments that are null.
func (d *decoder) withoutNulls(body hcl.Body) hcl.Body {
	b, ok := body.(*hclsyntax.Body)
	if !ok {
		return body // cannot be: only native syntax is parsed
	}
	out := *b // copied as far as it has to change: each box has its own
	for name, a := range b.Attributes {
		if d.isNull(a.AsHCLAttribute()) {
			if len(out.Attributes) == len(b.Attributes) {
				out.Attributes = maps.Clone(b.Attributes)
			}
			delete(out.Attributes, name)
		}
	}
	for i, block := range b.Blocks {
		if inner, ok := d.withoutNulls(block.Body).(*hclsyntax.Body); ok && inner != block.Body {
			if &out.Blocks[0] == &b.Blocks[0] {
				out.Blocks = slices.Clone(b.Blocks)
			}
			changed := *block
			changed.Body = inner
			out.Blocks[i] = &changed
		}
	}
	if len(out.Attributes) == len(b.Attributes) && (len(b.Blocks) == 0 || &out.Blocks[0] == &b.Blocks[0]) {
		return b
	}
	return &out
}
