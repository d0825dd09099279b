package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// override joins bodies of which later ones win. [hcl.MergeBodies] would
// report an argument that is in two of them.
func override(bodies []hcl.Body) hcl.Body {
	switch len(bodies) {
	case 0:
		return hcl.EmptyBody()
	case 1:
		return bodies[0]
	}
	return overrideBody(slices.Clone(bodies))
}

type overrideBody []hcl.Body

// Content implements [hcl.Body].
func (o overrideBody) Content(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Diagnostics) {
	return o.join(schema, func(b hcl.Body, s *hcl.BodySchema) (*hcl.BodyContent, hcl.Diagnostics) { return b.Content(s) })
}

// PartialContent implements [hcl.Body].
func (o overrideBody) PartialContent(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Body, hcl.Diagnostics) {
	var rest overrideBody
	content, diags := o.join(schema, func(b hcl.Body, s *hcl.BodySchema) (*hcl.BodyContent, hcl.Diagnostics) {
		c, r, diags := b.PartialContent(s)
		rest = append(rest, r)
		return c, diags
	})
	return content, rest, diags
}

func (o overrideBody) join(schema *hcl.BodySchema, read func(hcl.Body, *hcl.BodySchema) (*hcl.BodyContent, hcl.Diagnostics)) (*hcl.BodyContent, hcl.Diagnostics) {
	// What is required may be in any of the bodies.
	lax := &hcl.BodySchema{Attributes: slices.Clone(schema.Attributes), Blocks: schema.Blocks}
	for i := range lax.Attributes {
		lax.Attributes[i].Required = false
	}
	out := &hcl.BodyContent{Attributes: hcl.Attributes{}, MissingItemRange: o.MissingItemRange()}
	var diags hcl.Diagnostics
	for _, b := range o {
		c, more := read(b, lax)
		diags = append(diags, more...)
		for name, a := range c.Attributes {
			out.Attributes[name] = a
		}
		out.Blocks = slices.DeleteFunc(out.Blocks, func(old *hcl.Block) bool {
			return slices.ContainsFunc(c.Blocks, func(b *hcl.Block) bool { return b.Type == old.Type })
		})
		out.Blocks = append(out.Blocks, c.Blocks...)
	}
	for _, a := range schema.Attributes {
		if a.Required && out.Attributes[a.Name] == nil {
			diags = append(diags, errorAt(o.MissingItemRange(), "Missing argument", fmt.Sprintf("The argument %q is required here.", a.Name))...)
		}
	}
	return out, diags
}

// JustAttributes implements [hcl.Body].
func (o overrideBody) JustAttributes() (hcl.Attributes, hcl.Diagnostics) {
	out := hcl.Attributes{}
	var diags hcl.Diagnostics
	for _, b := range o {
		attrs, more := b.JustAttributes()
		diags = append(diags, more...)
		for name, a := range attrs {
			out[name] = a
		}
	}
	return out, diags
}

// MissingItemRange implements [hcl.Body].
func (o overrideBody) MissingItemRange() hcl.Range { return o[len(o)-1].MissingItemRange() }
