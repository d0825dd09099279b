package config

import (
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// ArgDiagnostic makes a diagnostic of a plugin's complaint about the argument
// at a dotted path in body, such as "text", "raw.lxc.environment" or
// "args.0", or "mount.target" for an argument of a nested block. ctx serves to evaluate the
// keys of maps and may be nil. The subject is the argument's expression or, as
// far as the path leads, what is around it; without any it is fallback.
func ArgDiagnostic(body hcl.Body, ctx *hcl.EvalContext, arg, summary, detail string, fallback hcl.Range) *hcl.Diagnostic {
	subject := fallback
	if r, ok := argRange(body, ctx, arg); ok {
		subject = r
	}
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &subject}
}

func argRange(body hcl.Body, ctx *hcl.EvalContext, arg string) (hcl.Range, bool) {
	if body == nil || arg == "" {
		return hcl.Range{}, false
	}
	name, rest, _ := strings.Cut(arg, ".")
	attrs, _ := body.JustAttributes()
	if a := attrs[name]; a != nil {
		return exprRange(a.Expr, ctx, rest), true
	}
	if blocks := blocksOf(body, name); len(blocks) > 0 {
		block := blocks[0]
		inner, ok := argRange(block.Body, ctx, rest)
		if !ok {
			inner = block.DefRange()
		}
		return inner, true
	}
	return hcl.Range{}, false
}

// exprRange follows path into a map or list that is written out.
func exprRange(expr hcl.Expression, ctx *hcl.EvalContext, path string) hcl.Range {
	if path == "" {
		return expr.Range()
	}
	if pairs, diags := hcl.ExprMap(expr); !diags.HasErrors() {
		for _, kv := range pairs {
			key := keyText(kv.Key, ctx)
			// A key may hold dots itself: "lxc.environment".
			if key == path {
				return kv.Value.Range()
			}
			if rest, ok := strings.CutPrefix(path, key+"."); ok && key != "" {
				return exprRange(kv.Value, ctx, rest)
			}
		}
	}
	first, rest, _ := strings.Cut(path, ".")
	if i, err := strconv.Atoi(first); err == nil && i >= 0 {
		if elems, diags := hcl.ExprList(expr); !diags.HasErrors() && i < len(elems) {
			return exprRange(elems[i], ctx, rest)
		}
	}
	return expr.Range()
}

// keyRange returns where a key of a map stands, or the whole map when it is not
// written out.
func keyRange(expr hcl.Expression, ctx *hcl.EvalContext, key string) hcl.Range {
	pairs, _ := hcl.ExprMap(expr) // none when it is no map
	for _, kv := range pairs {
		if keyText(kv.Key, ctx) == key {
			return kv.Key.Range()
		}
	}
	return expr.Range()
}

func keyText(expr hcl.Expression, ctx *hcl.EvalContext) string {
	if word := hcl.ExprAsKeyword(expr); word != "" {
		return word
	}
	v, diags := expr.Value(ctx)
	if v, _ = v.Unmark(); diags.HasErrors() || v.Type() != cty.String || !v.IsKnown() || v.IsNull() {
		return ""
	}
	return v.AsString()
}

// blocksOf returns the blocks of a type, strongest layer first, whatever their
// labels are.
func blocksOf(body hcl.Body, typ string) []*hclsyntax.Block {
	var out []*hclsyntax.Block
	switch b := body.(type) {
	case *hclsyntax.Body:
		for _, block := range b.Blocks {
			if block.Type == typ {
				out = append(out, block)
			}
		}
	case overrideBody:
		for i := len(b) - 1; i >= 0; i-- {
			out = append(out, blocksOf(b[i], typ)...)
		}
	}
	return out
}
