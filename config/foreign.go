package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// A value is foreign when it can differ between users of a project, or must not
// be told from a hash: then Envfile.lock cannot speak of it. foreign holds what
// is, by names such as "var.token", and why; "var." stands for any of them.
type foreign map[string]string

func (f foreign) add(root, name, why string) {
	if why == "" {
		return
	}
	f[root+"."+name] = why
	if f[root+"."] == "" {
		f[root+"."] = why
	}
}

func setOutside(name string) string { return "it uses " + name + ", which is set outside the Envfile" }

// foreignVariable says why a variable's value is foreign; empty: it is not.
func (d *decoder) foreignVariable(v *variable) string {
	name := "var." + v.name
	_, flag := d.o.Vars[v.name]
	_, env := d.o.lookupEnv(envPrefix + v.name)
	switch {
	case v.sensitive:
		return "it uses " + name + ", which is sensitive"
	case flag || env || v.outside || v.fallback == nil:
		return setOutside(name)
	}
	return d.foreignIn(v.fallback.Expr)
}

// foreignLocal says the same of a local.
func (d *decoder) foreignLocal(l *local) string {
	if l.layer != LayerProject {
		return setOutside("local." + l.attr.Name)
	}
	return d.foreignIn(l.attr.Expr)
}

// foreignIn says what of an expression is foreign; empty: nothing.
func (d *decoder) foreignIn(expr hcl.Expression) string {
	for _, t := range expr.Variables() {
		root, name := t.RootName(), ""
		if len(t) > 1 {
			name, _ = stepName(t[1])
		}
		switch root {
		case "path":
			return strings.TrimSuffix("it uses path."+name, ".")
		case "box":
			return "it uses values of boxes, whose addresses can differ"
		case "count", "each":
			name = ""
		}
		if why := d.foreign[root+"."+name]; why != "" {
			return why
		}
	}
	why := ""
	if node, ok := expr.(hclsyntax.Node); ok {
		_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
			if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && call.Name == "env" {
				why = "it uses env()"
			}
			return nil
		})
	}
	return why
}

// foreignInBody says what of a plugin's arguments is foreign.
func (d *decoder) foreignInBody(body hcl.Body) string {
	b, ok := body.(*hclsyntax.Body)
	if !ok {
		return ""
	}
	attrs, _ := b.JustAttributes() // it complains of blocks
	for _, a := range bySource(attrs) {
		if why := d.foreignIn(a.Expr); why != "" {
			return why
		}
	}
	for _, block := range b.Blocks {
		if why := d.foreignInBody(block.Body); why != "" {
			return why
		}
	}
	return ""
}
