package config

import (
	"maps"

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
	out := *b
	out.Attributes = maps.Clone(b.Attributes)
	maps.DeleteFunc(out.Attributes, func(_ string, a *hclsyntax.Attribute) bool { return d.isNull(a.AsHCLAttribute()) })
	out.Blocks = make(hclsyntax.Blocks, len(b.Blocks))
	for i, block := range b.Blocks {
		inner := *block
		if body, ok := d.withoutNulls(block.Body).(*hclsyntax.Body); ok {
			inner.Body = body
		}
		out.Blocks[i] = &inner
	}
	return &out
}
