package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// secretMark marks values that come from sensitive variables. Marks follow a
// value through every expression.
type secretMark struct{}

// redacted returns the diagnostics collected so far, without the details of
// those that may quote a sensitive value.
func (d *decoder) redacted() hcl.Diagnostics {
	for _, diag := range d.diags {
		if diag.Expression != nil && d.usesSecret(diag.Expression, diag.EvalContext) {
			diag.Detail = "The value comes from a sensitive variable, so what is wrong with it is not shown here."
		}
	}
	return d.diags
}

func (d *decoder) usesSecret(expr hcl.Expression, ctx *hcl.EvalContext) bool {
	if ctx == nil {
		ctx = d.ctx
	}
	for _, t := range expr.Variables() {
		v, diags := t.TraverseAbs(ctx)
		if diags.HasErrors() {
			// Not a value on its own, such as var[...]: look at the whole of it.
			v, diags = t[:1].TraverseAbs(ctx)
		}
		if !diags.HasErrors() && v.ContainsMarked() {
			return true
		}
	}
	return false
}

// open removes marks for use in the model.
func open(v cty.Value) cty.Value {
	v, _ = v.UnmarkDeep()
	return v
}
