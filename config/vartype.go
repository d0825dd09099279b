package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// typeOf reads the type of a variable, such as list(string).
func (d *decoder) typeOf(expr hcl.Expression) (cty.Type, *typeexpr.Defaults, bool) {
	ty, optional, diags := typeexpr.TypeConstraintWithDefaults(expr)
	for _, diag := range diags {
		if diag.Subject != nil {
			diag.Detail += typeHint(expr, *diag.Subject)
		}
	}
	d.add(diags...)
	return ty, optional, !diags.HasErrors()
}

// typeHint says how to write the part of a type that is at a place. It begins
// with a space or is empty.
func typeHint(expr hcl.Expression, at hcl.Range) string {
	node, ok := expr.(hclsyntax.Node)
	if !ok {
		return ""
	}
	hint, types := "", []string{"string", "number", "bool", "any", "list", "set", "map", "object", "tuple"}
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if n.Range() != at {
			return nil
		}
		switch n := n.(type) {
		case *hclsyntax.ScopeTraversalExpr:
			hint = didYouMean(n.Traversal.RootName(), types)
		case *hclsyntax.FunctionCallExpr:
			hint = didYouMean(n.Name, types)
		case *hclsyntax.TemplateExpr:
			if s, diags := n.Value(nil); !diags.HasErrors() && s.Type() == cty.String {
				hint = fmt.Sprintf(" Write it without quotes: %s.", s.AsString())
			}
		}
		return nil
	})
	return hint
}
