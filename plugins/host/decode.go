package host

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
)

// Decode decodes a provider block into the form in which Validate and Bind take
// it. What is wrong with the block is underlined where it stands.
func (p *Provider) Decode(body hcl.Body, ctx *hcl.EvalContext) ([]byte, hcl.Diagnostics) {
	return p.r.decode(body, ctx)
}

// Decode decodes a provisioner block, without its meta-arguments, into the form
// in which the other methods take it. What is wrong with the block is underlined
// where it stands. The arguments are nil as long as a value that the block uses
// is not known: their types have been checked then, and nothing else.
func (p *Provisioner) Decode(body hcl.Body, ctx *hcl.EvalContext) ([]byte, hcl.Diagnostics) {
	return p.r.decode(body, ctx)
}

func (r *running) decode(body hcl.Body, ctx *hcl.EvalContext) ([]byte, hcl.Diagnostics) {
	val, diags := hcldec.Decode(body, r.spec, ctx)
	if diags.HasErrors() {
		return nil, diags
	}
	if !val.IsWhollyKnown() {
		return nil, diags
	}
	args, err := EncodeConfig(val, r.spec)
	if err != nil {
		at := hcldec.SourceRange(body, r.spec)
		return nil, append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unsuitable block", Detail: err.Error(), Subject: &at,
		})
	}
	return args, diags
}
