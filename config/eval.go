package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// scope holds the names that an expression may use.
type scope struct {
	vars, locals, paths map[string]bool

	repeat    string // "count" or "for_each" in a box that has it
	inStep    bool   // in the arguments of a provisioner
	inDefault bool   // in the default of a variable
}

// maxFor is how deep for expressions may nest: each level multiplies the work.
const maxFor = 2

// eval returns the value of expr. It is false when there is none, and then the
// reason has been reported, here or where expr's variables are declared.
func (d *decoder) eval(expr hcl.Expression) (cty.Value, bool) {
	return d.evalIn(expr, d.ctx)
}

func (d *decoder) evalIn(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, bool) {
	if d.work.over() || !d.checkExpr(expr, ctx) {
		return cty.DynamicVal, false
	}
	v, diags := expr.Value(ctx)
	if slices.ContainsFunc(diags, isWork) {
		d.tellWork(expr)
		return cty.DynamicVal, false
	}
	diags = diags[:min(len(diags), maxSame)]
	for _, diag := range diags {
		if diag.Subject == nil {
			diag.Subject = expr.Range().Ptr()
		}
	}
	d.add(diags...)
	if diags.HasErrors() {
		return cty.DynamicVal, false
	}
	w := weigh(v)
	if w.infinite {
		d.failValue(expr, "Invalid number", "This expression makes an infinite number, as a division by zero does.")
		return cty.DynamicVal, false
	}
	if msg := w.complaint(); msg != "" {
		d.failValue(expr, tooComplex, "The value of this expression %s.", msg)
		return cty.DynamicVal, false
	}
	if d.spent.elements += w.elements; d.spent.elements > totalElements {
		d.failValue(expr, tooComplex, "The values up to here have more than %d elements.", totalElements)
		return cty.DynamicVal, false
	}
	if d.spent.bytes += w.bytes; d.spent.bytes > totalBytes {
		d.failValue(expr, tooComplex, "The values up to here hold more than %s of text.", formatSize(totalBytes))
		return cty.DynamicVal, false
	}
	return v, v.IsWhollyKnown()
}

// maxSame is how many problems are told of one expression: a for expression has
// one for each element.
const maxSame = 20

// tellWork reports once that there is too much to do. Nothing is evaluated then.
func (d *decoder) tellWork(expr hcl.Expression) {
	if !d.overworked {
		d.failValue(expr, tooComplex, "Evaluating this takes too long, with what is evaluated before it: make lists smaller that for expressions go over, "+
			"or that are used within one, and texts shorter that functions work on.")
	}
	d.overworked = true
}

// checkExpr looks at names before anything is evaluated: HCL's own complaints
// do not say which name is nearest.
func (d *decoder) checkExpr(expr hcl.Expression, ctx *hcl.EvalContext) bool {
	w := &exprWalker{functions: functionsOf(ctx)}
	ok := true
	if node, isNode := expr.(hclsyntax.Node); isNode {
		diags := hclsyntax.Walk(node, w)
		d.add(diags...)
		ok = !diags.HasErrors()
	}
	for _, t := range variables(expr, ctx) { // it evaluates indexes
		ok = d.checkTraversal(expr, t) && ok
	}
	return ok && d.checkUse(expr, ctx, w.anyFor)
}

// checkUse adds up what an expression refers to, since a template copies it
// each time, and a for expression perhaps for each element.
func (d *decoder) checkUse(expr hcl.Expression, ctx *hcl.EvalContext, repeats bool) bool {
	elements, bytes := totalElements/4, maxBytes*4
	if repeats {
		elements, bytes = maxElements, maxBytes/4
	}
	for _, t := range expr.Variables() {
		v, diags := t.TraverseAbs(ctx)
		if diags.HasErrors() {
			continue
		}
		w := weigh(v)
		elements -= w.elements
		bytes -= w.bytes
		if elements < 0 || bytes < 0 {
			d.failValue(expr, tooComplex, "What this expression refers to is too much for one expression.")
			return false
		}
	}
	return true
}

func (d *decoder) checkTraversal(expr hcl.Expression, t hcl.Traversal) bool {
	root := t.RootName()
	if d.scope.inDefault && (root == "var" || root == "local") {
		d.fail(t.SourceRange(), "Invalid reference", "The default of a variable cannot use variables or locals. A local can use both: locals { NAME = ... }.")
		return false
	}
	var names map[string]bool
	switch root {
	case "var":
		names = d.scope.vars
	case "local":
		names = d.scope.locals
	case "path":
		names = d.scope.paths
	case "box":
		return d.checkBoxRef(t)
	case "count", "each":
		return d.repeatedRef(t)
	default:
		d.fail(t.SourceRange(), "Unknown variable", "%s", d.unknownRoot(expr, t))
		return false
	}
	if len(t) < 2 {
		return true
	}
	name, ok := stepName(t[1])
	if !ok || names[name] {
		return true
	}
	word := map[string]string{"var": "variable", "local": "local", "path": "path"}[root]
	d.fail(t[:2].SourceRange(), "Unknown variable", "There is no %s %q.%s", word, name, didYouMean(name, slices.Collect(maps.Keys(names))))
	return false
}

func stepName(step hcl.Traverser) (string, bool) {
	switch s := step.(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

func functionsOf(ctx *hcl.EvalContext) []string {
	for ; ctx != nil; ctx = ctx.Parent() {
		if ctx.Functions != nil {
			names := slices.Collect(maps.Keys(ctx.Functions))
			return slices.DeleteFunc(names, func(name string) bool { return name == loopName })
		}
	}
	return nil
}

// exprWalker finds unknown functions and for expressions nested too deep, and makes
// these count what they do.
type exprWalker struct {
	functions []string
	fors      int  // open ones
	anyFor    bool // there was one
}

// Enter implements [hclsyntax.Walker].
func (w *exprWalker) Enter(node hclsyntax.Node) hcl.Diagnostics {
	switch n := node.(type) {
	case *hclsyntax.FunctionCallExpr:
		if n.Name != loopName && !slices.Contains(w.functions, n.Name) {
			return w.unknown(n)
		}
	case *hclsyntax.ForExpr:
		w.fors++
		w.anyFor = true
		count(n)
		if w.fors == maxFor+1 {
			return errorAt(n.Range(), tooComplex,
				fmt.Sprintf("for expressions may be nested at most %d deep. Use locals to split them.", maxFor))
		}
	}
	return nil
}

// Exit implements [hclsyntax.Walker].
func (w *exprWalker) Exit(node hclsyntax.Node) hcl.Diagnostics {
	if _, ok := node.(*hclsyntax.ForExpr); ok {
		w.fors--
	}
	return nil
}

func (w *exprWalker) unknown(n *hclsyntax.FunctionCallExpr) hcl.Diagnostics {
	detail := fmt.Sprintf("There is no function %q.%s", n.Name, didYouMean(n.Name, w.functions))
	if len(w.functions) == 0 {
		detail = "Functions cannot be used here: this value must be written out."
	}
	return errorAt(n.NameRange, "Unknown function", detail)
}

func errorAt(subject hcl.Range, summary, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &subject}}
}
