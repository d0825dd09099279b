package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// unknownRoot explains a name that stands alone, most often text without quotes.
func (d *decoder) unknownRoot(expr hcl.Expression, t hcl.Traversal) string {
	name := t.RootName()
	if len(t) > 1 {
		roots := []string{"var", "local", "path"}
		return fmt.Sprintf("There is nothing named %q; values are var.NAME, local.NAME and path.NAME.%s", name, didYouMean(name, roots))
	}
	switch {
	case d.scope.vars[name]:
		return fmt.Sprintf("There is nothing named %q. Did you mean \"var.%s\"?", name, name)
	case d.scope.locals[name]:
		return fmt.Sprintf("There is nothing named %q. Did you mean \"local.%s\"?", name, name)
	}
	switch strings.ToLower(name) {
	case "yes", "on":
		return fmt.Sprintf("There is nothing named %q. Did you mean true?", name)
	case "no", "off":
		return fmt.Sprintf("There is nothing named %q. Did you mean false?", name)
	}
	if interpolated(expr, t) {
		return fmt.Sprintf("There is nothing named %[1]q; values are var.NAME, local.NAME and path.NAME. For a variable of the shell write $%[1]s or $${%[1]s}.", name)
	}
	return fmt.Sprintf("There is nothing named %q. Text is written in quotes: \"%s\".", name, name)
}

// interpolated reports whether t stands alone between ${ and } in expr.
func interpolated(expr hcl.Expression, t hcl.Traversal) bool {
	node, ok := expr.(hclsyntax.Node)
	if !ok {
		return false
	}
	found := false
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		var parts []hclsyntax.Expression
		switch n := n.(type) {
		case *hclsyntax.TemplateExpr:
			parts = n.Parts
		case *hclsyntax.TemplateWrapExpr: // nothing but one ${ }
			parts = []hclsyntax.Expression{n.Wrapped}
		}
		for _, p := range parts {
			v, isVar := p.(*hclsyntax.ScopeTraversalExpr)
			found = found || isVar && v.SrcRange == t.SourceRange()
		}
		return nil
	})
	return found
}
