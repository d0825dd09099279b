package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// plainer rewrites what HCL's parser says where it would leave a newcomer at a
// loss. It knows the complaints by their summaries.
func plainer(diags hcl.Diagnostics, f *hcl.File, tokens hclsyntax.Tokens) hcl.Diagnostics {
	for i, d := range diags {
		switch d.Summary {
		case "Invalid multi-line string":
			// Every line to the next quote, and often all after it, is a problem to HCL.
			d.Summary = "Unclosed quote"
			d.Detail = "This text has no closing quote on its line. Write text of several lines between <<-EOT and EOT."
			return diags[:i+1]
		case "Unterminated template string":
			openHeredoc(d, tokens)
		case "Invalid template control keyword":
			d.Detail += " Where text is to hold %{ itself, write %%{."
		case "Argument or block definition required":
			if strings.HasPrefix(subjectText(d, f), "}") {
				d.Detail = "This } closes nothing: there is one } too many, here or above."
			}
		case "Attribute redefined":
			alreadySet(d, f)
		}
	}
	return diags
}

func subjectText(d *hcl.Diagnostic, f *hcl.File) string { return string(d.Subject.SliceBytes(f.Bytes)) }

// openHeredoc puts a complaint at the <<-EOT that has no end, since HCL sees no
// more than the end of the file.
func openHeredoc(d *hcl.Diagnostic, tokens hclsyntax.Tokens) {
	var open hclsyntax.Tokens
	for _, tok := range tokens {
		switch tok.Type {
		case hclsyntax.TokenOHeredoc:
			open = append(open, tok)
		case hclsyntax.TokenCHeredoc:
			open = open[:max(0, len(open)-1)]
		}
	}
	if len(open) == 0 {
		return
	}
	start := open[len(open)-1]
	opener := strings.TrimSpace(string(start.Bytes))
	at := start.Range
	at.End = at.Start
	at.End.Byte += len(opener)
	at.End.Column += len(opener)
	d.Summary, d.Subject, d.Context = "Unclosed text", &at, nil
	d.Detail = fmt.Sprintf("The text that begins with %s has no end: a line with nothing but %s.", opener, strings.TrimLeft(opener, "<-"))
}

// alreadySet says where an argument stands first.
func alreadySet(d *hcl.Diagnostic, f *hcl.File) {
	body, _ := f.Body.(*hclsyntax.Body)
	name := subjectText(d, f)
	for body != nil {
		inner := blockAt(body, d.Subject.Start.Byte)
		if inner == nil {
			break
		}
		body = inner.Body
	}
	if body != nil && body.Attributes[name] != nil {
		d.Summary = "Duplicate argument"
		d.Detail = fmt.Sprintf("The argument %q is set already, at %s.", name, place(body.Attributes[name].NameRange))
	}
}
