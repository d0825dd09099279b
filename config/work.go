package config

import (
	"errors"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// A for expression within another, or a function in one, multiplies work: a few
// lines can keep a computer busy for days while no value of theirs is large. So
// what evaluating does is counted, in units of about the time that looking at one
// element takes.
const (
	maxWork = 1 << 24 // of all of a file's expressions

	passCost  = 16 // of one pass of a for expression, beside what it looks at
	copyBytes = 8  // of text that a unit copies, which stays in memory
	readBytes = 64
	regexWork = 16 // steps of a regular expression's machine
)

// work is what may still be done. Plugins' arguments are evaluated again when boxes
// are worked on, by several goroutines.
type work struct{ left atomic.Int64 }

func newWork() *work {
	w := &work{}
	w.refill()
	return w
}

func (w *work) refill() { w.left.Store(maxWork) }

func (w *work) over() bool { return w.left.Load() < 0 }

var errWork = errors.New("this is too much work")

// spend counts n units, before they are done. What exceeds an int is too much.
func (w *work) spend(n int) error {
	if n < 0 || n > maxWork || w.left.Add(-int64(n)) < 0 {
		w.left.Store(-1)
		return errWork
	}
	return nil
}

// isWork reports whether a complaint is that there is too much to do.
func isWork(diag *hcl.Diagnostic) bool {
	extra, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](diag)
	return ok && errors.Is(extra.FunctionCallError(), errWork)
}

// loopName is a function that no Envfile can name. It stands around the collection
// of every for expression, and counts what that is about to do.
const loopName = "for each"

func loopFunction(w *work) function.Function {
	any := function.Parameter{
		Name: "collection", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true,
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{any, {Name: "cost", Type: cty.Number}},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			passes := 1 // finding out the cost is work as well
			if v, _ := args[0].Unmark(); v.IsKnown() && v.CanIterateElements() {
				passes += v.LengthInt()
			}
			cost, _ := args[1].AsBigFloat().Int64()
			return args[0], w.spend(passes * int(cost))
		},
	})
}

// count makes a for expression count what it does.
func count(n *hclsyntax.ForExpr) {
	if call, ok := n.CollExpr.(*hclsyntax.FunctionCallExpr); ok && call.Name == loopName {
		return
	}
	at := n.CollExpr.Range()
	cost := &loopCost{LiteralValueExpr: &hclsyntax.LiteralValueExpr{SrcRange: at}}
	own := map[string]bool{n.KeyVar: true, n.ValVar: true}
	for _, e := range []hclsyntax.Expression{n.KeyExpr, n.ValExpr, n.CondExpr} {
		if e == nil {
			continue
		}
		cost.literal += e.Range().End.Byte - e.Range().Start.Byte
		for _, t := range hclsyntax.Variables(e) {
			if !own[t.RootName()] {
				cost.uses = append(cost.uses, t)
			}
		}
	}
	n.CollExpr = &hclsyntax.FunctionCallExpr{
		Name: loopName, Args: []hclsyntax.Expression{n.CollExpr, cost},
		NameRange: at, OpenParenRange: at, CloseParenRange: at,
	}
}

// loopCost is what one pass of a for expression costs at most. It hides what it
// refers to, which is that of the for expression itself.
type loopCost struct {
	*hclsyntax.LiteralValueExpr
	literal int // bytes of source
	uses    []hcl.Traversal
}

// Value implements [hclsyntax.Expression].
func (c *loopCost) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	n := passCost + c.literal/copyBytes
	for _, t := range c.uses {
		v, diags := t.TraverseAbs(ctx)
		if diags.HasErrors() {
			continue // evaluating will tell
		}
		w := weigh(v)
		n += w.elements + w.bytes/copyBytes
	}
	return cty.NumberIntVal(int64(n)), nil
}
