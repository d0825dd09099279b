package config

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// decoder carries what decoding needs and collects what is wrong. Its methods
// go on after a mistake, so that all mistakes are found.
type decoder struct {
	o     Options
	root  string
	diags hcl.Diagnostics

	// ctx marks the values of sensitive variables, plain is the same without
	// marks, for plugins.
	ctx, plain *hcl.EvalContext
	scope      scope
	spent      weigher // what all values hold together
	work       *work   // what may still be done for them
	overworked bool    // that it was too much has been told
	boxes      *boxSet // which boxes there are; nil until that is known
	made       int     // boxes so far
	foreign    foreign
	project    string // the name of the project's Envfile
	quiet      bool   // drop diagnostics: the expressions have been checked before
	again      bool   // drop what has been reported of the same place: it is decoded again for another box
}

func newDecoder(root string, o Options) *decoder {
	d := &decoder{o: o, root: root, foreign: foreign{}, work: newWork()}
	paths := map[string]cty.Value{"project": cty.StringVal(root)}
	d.scope.paths = map[string]bool{"project": true}
	if o.Home != "" {
		paths["home"] = cty.StringVal(o.Home)
		d.scope.paths["home"] = true
	}
	d.ctx = &hcl.EvalContext{
		Variables: map[string]cty.Value{"path": cty.ObjectVal(paths)},
		Functions: functions(root, o, d.work),
	}
	d.plain = d.ctx
	return d
}

// decode fills e from the files.
func (d *decoder) decode(e *Envfile, files []parsedFile) {
	d.project = e.Path
	decls := d.collect(files)
	d.decodeBerth(decls.berth)
	d.decodeVariables(decls.variables)
	d.decodeLocals(decls.locals)
	d.decodeProject(&e.Project, decls.project, e.Root)
	d.decodeBoxes(e, decls)
	d.checkBoxes(e)
	d.work.refill() // for the steps that are evaluated when boxes are up
}

// tooComplex is the summary of what exceeds a limit.
const tooComplex = "Too complex"

// maxProblems is how many problems are told at most: nobody reads more.
const maxProblems = 1000

func (d *decoder) add(diags ...*hcl.Diagnostic) {
	for _, diag := range diags {
		if len(d.diags) == maxProblems {
			return
		}
		// Whether a limit is exceeded depends on what came before, so it can be
		// the second look at an expression that finds it.
		if d.quiet && diag.Summary != tooComplex || d.again && d.reported(diag) {
			continue
		}
		d.diags = append(d.diags, diag)
	}
}

// reported reports whether the like of diag was found at the same place.
func (d *decoder) reported(diag *hcl.Diagnostic) bool {
	return diag.Subject != nil && slices.ContainsFunc(d.diags, func(old *hcl.Diagnostic) bool {
		return old.Summary == diag.Summary && old.Subject != nil && *old.Subject == *diag.Subject
	})
}

// fail reports a problem at a place in the source.
func (d *decoder) fail(subject hcl.Range, summary, format string, args ...any) {
	d.add(&hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   fmt.Sprintf(format, args...),
		Subject:  &subject,
	})
}

// failValue reports a problem with the value of an expression. The detail may
// quote the value: [decoder.redacted] hides it when it is sensitive.
func (d *decoder) failValue(expr hcl.Expression, summary, format string, args ...any) {
	d.failPart(expr, expr.Range(), summary, format, args...)
}

// failPart is failValue with a subject within the expression.
func (d *decoder) failPart(expr hcl.Expression, subject hcl.Range, summary, format string, args ...any) {
	d.add(&hcl.Diagnostic{
		Severity:    hcl.DiagError,
		Summary:     summary,
		Detail:      fmt.Sprintf(format, args...),
		Subject:     &subject,
		Expression:  expr,
		EvalContext: d.ctx,
	})
}

// quoted quotes a value for a message, the start of it if it is long.
func quoted(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		s = string(runes[:57]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

// place names a line for a sentence: "Envfile line 7".
func place(r hcl.Range) string {
	return fmt.Sprintf("%s line %d", filepath.Base(r.Filename), r.Start.Line)
}
