package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// checkPluginBody evaluates all expressions in a body whose schema only the
// plugin knows. So a wrong name is found without starting the plugin, and
// nothing sensitive is left to leak from a complaint when the engine decodes.
// Meta-arguments are evaluated a second time; Parse drops repetitions.
func (d *decoder) checkPluginBody(body hcl.Body) {
	b, ok := body.(*hclsyntax.Body)
	if !ok {
		return
	}
	for _, a := range b.Attributes {
		d.eval(a.Expr)
	}
	for _, block := range b.Blocks {
		d.checkPluginBody(block.Body)
	}
}
