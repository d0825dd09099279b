package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// content returns what schema names and reports all else in body, with the
// nearest right name. It stands for [hcl.Body.Content], whose complaints are
// less helpful and which knows no optional labels: here, a label whose name
// ends in "?" may be left out.
func (d *decoder) content(body hcl.Body, schema *hcl.BodySchema) *hcl.BodyContent {
	var lax []string
	for _, a := range schema.Attributes {
		lax = append(lax, a.Name)
	}
	content, _, _ := body.PartialContent(&hcl.BodySchema{Attributes: attributes(lax...)})
	written := maps.Clone(content.Attributes)
	if schema != variableSchema { // a type is no value, and null is a default like any other
		d.dropNulls(content.Attributes)
	}
	for _, a := range schema.Attributes {
		switch null := written[a.Name]; {
		case !a.Required || content.Attributes[a.Name] != nil:
		case null != nil:
			d.fail(null.Expr.Range(), "Missing argument", "The argument %q is required here, and null is as if it were not written.", a.Name)
		default:
			d.fail(body.MissingItemRange(), "Missing argument", "The argument %q is required here.", a.Name)
		}
	}
	b, ok := body.(*hclsyntax.Body)
	if !ok {
		return content // cannot be: only native syntax is parsed
	}
	known := map[string]hcl.BlockHeaderSchema{}
	names := slices.Clone(lax)
	for _, s := range schema.Blocks {
		known[s.Type] = s
		names = append(names, s.Type)
	}
	d.unknownArguments(b, written, known, schema, names)
	for _, block := range b.Blocks {
		s, ok := known[block.Type]
		switch {
		case ok && d.labelsFit(block, s):
			content.Blocks = append(content.Blocks, block.AsHCLBlock())
		case ok:
		case slices.Contains(names, block.Type):
			d.fail(block.TypeRange, "Unsupported block", `%q is an argument: write it as "%s = ...".`, block.Type, block.Type)
		default:
			d.fail(block.TypeRange, "Unsupported block", "There is no block %q here.%s", block.Type, hint(block.Type, schema, names))
		}
	}
	return content
}

func (d *decoder) unknownArguments(b *hclsyntax.Body, written hcl.Attributes, blocks map[string]hcl.BlockHeaderSchema, schema *hcl.BodySchema, names []string) {
	for name, attr := range b.Attributes {
		if written[name] != nil {
			continue
		}
		if s, ok := blocks[name]; ok {
			d.fail(attr.NameRange, "Unsupported argument", `%q is a block: write it as "%s { ... }", without "=".`, name, header(s))
			continue
		}
		d.fail(attr.NameRange, "Unsupported argument", "There is no argument %q here.%s", name, hint(name, schema, names))
	}
}

// hint names where a word belongs that is right elsewhere, or else the nearest
// right word, or else the few that there are. It begins with a space or is empty.
func hint(name string, here *hcl.BodySchema, names []string) string {
	outer := []*hcl.BodySchema{topSchema, boxSchema, defaultsSchema, resourcesSchema, ioSchema}
	for _, home := range homes() {
		// Blocks beside each other have names in common by chance: "type" in a
		// network is not meant for a folder.
		if home.schema != boxSchema && !slices.Contains(outer, here) {
			continue
		}
		if home.schema != here && slices.Contains(schemaNames(home.schema), name) {
			return fmt.Sprintf(" It belongs in a %q block.", home.block)
		}
	}
	if s := didYouMean(name, names); s != "" || len(names) > maxListed {
		return s
	}
	return fmt.Sprintf(" Allowed here: %s.", strings.Join(names, ", "))
}

// maxListed is how many names a message lists.
const maxListed = 6

type home struct {
	block  string
	schema *hcl.BodySchema
}

// homes lists the blocks that users may take for each other.
func homes() []home {
	return []home{
		{"box", boxSchema}, {"resources", resourcesSchema}, {"io", ioSchema}, {"ssh", sshSchema},
		{"provisioner", provisionerSchema}, {"network", networkSchema}, {"forward", forwardSchema}, {"folder", folderSchema},
	}
}

func schemaNames(s *hcl.BodySchema) []string {
	var out []string
	for _, a := range s.Attributes {
		out = append(out, a.Name)
	}
	for _, b := range s.Blocks {
		out = append(out, b.Type)
	}
	return out
}

// labelsFit reports a block with too few or too many labels.
func (d *decoder) labelsFit(b *hclsyntax.Block, s hcl.BlockHeaderSchema) bool {
	required := 0
	for _, name := range s.LabelNames {
		if !strings.HasSuffix(name, "?") {
			required++
		}
	}
	switch {
	case len(b.Labels) < required:
		d.fail(b.DefRange(), "Missing label", `The block needs a %s: write it as "%s { ... }".`, s.LabelNames[len(b.Labels)], header(s))
		return false
	case len(b.Labels) > len(s.LabelNames):
		d.fail(b.LabelRanges[len(s.LabelNames)], "Extra label", `This label has no meaning: write the block as "%s { ... }".`, header(s))
		return false
	}
	return true
}

// header writes a block's type and the labels it needs.
func header(s hcl.BlockHeaderSchema) string {
	out := s.Type
	for _, label := range s.LabelNames {
		if !strings.HasSuffix(label, "?") {
			out += " " + strings.ToUpper(label)
		}
	}
	return out
}

// single returns the one block of a type, or nil, and reports further ones.
func (d *decoder) single(blocks hcl.Blocks) *hcl.Block {
	if len(blocks) == 0 {
		return nil
	}
	for _, b := range blocks[1:] {
		d.fail(b.DefRange, "Duplicate block", "There can be one %q block here; the first is at %s.", b.Type, place(blocks[0].DefRange))
	}
	return blocks[0]
}

// attributes makes the attribute part of a schema in which nothing is required.
func attributes(names ...string) []hcl.AttributeSchema {
	out := make([]hcl.AttributeSchema, len(names))
	for i, n := range names {
		out[i].Name = n
	}
	return out
}
