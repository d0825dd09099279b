package config

import "github.com/hashicorp/hcl/v2"

// DefaultProvider makes the boxes that name no other.
const DefaultProvider = "lxc"

// ProviderBlock names the provider of a box and holds its arguments, which
// only the provider can read.
type ProviderBlock struct {
	Name        string           // DefaultProvider unless said otherwise
	Bodies      []hcl.Body       // what the layers say of it, weakest first; see [ProviderBlock.Body]
	EvalContext *hcl.EvalContext // what the arguments may refer to
	DeclRange   hcl.Range        // the header of the strongest block, or of the box when there is none
}

// Body returns the arguments of all layers as one body: an argument, or the
// nested blocks of one type, of a later layer replace those of earlier ones.
func (p ProviderBlock) Body() hcl.Body { return override(p.Bodies) }

func (d *decoder) decodeProvider(b *Box, block *hcl.Block) {
	if block == nil {
		return
	}
	name := block.Labels[0]
	if err := checkName(name); err != nil {
		d.fail(block.LabelRanges[0], "Invalid name", "A provider cannot be named %q: %s.", name, err)
		return
	}
	d.checkPluginBody(block.Body)
	if name != b.Provider.Name {
		// What one provider understands means nothing to another.
		b.Provider.Bodies = nil
	}
	b.Provider.Name = name
	b.Provider.Bodies = append(b.Provider.Bodies, d.withoutNulls(block.Body))
	b.Provider.EvalContext = d.plain
	b.Provider.DeclRange = block.DefRange
	b.ranges["provider"] = block.DefRange
}
