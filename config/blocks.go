package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Every box has all the blocks of the defaults and its own, so a short file can
// stand for millions. These limits are far above what anybody writes.
const (
	maxBlocks    = 2000  // within one block
	maxAllBlocks = 50000 // of all boxes together
)

// tooManyBlocks reports boxes that have too many blocks to be made.
func (d *decoder) tooManyBlocks(groups []*boxGroup, defaults []declaration) bool {
	before, common := len(d.diags), 0
	for _, b := range defaults {
		common += d.blocksIn(b.Block)
	}
	all := 0
	for _, g := range groups {
		own := 0
		for _, b := range g.blocks {
			own += d.blocksIn(b.Block)
		}
		all += max(1, len(g.instances)) * (own + common)
		for _, i := range g.instances {
			for _, b := range i.overrides {
				all += d.blocksIn(b.Block)
			}
		}
		if all > maxAllBlocks {
			d.fail(g.first().DefRange, tooComplex, "The boxes up to here have %d blocks, those of the defaults counted for each; at most %d are allowed.", all, maxAllBlocks)
			break
		}
	}
	return len(d.diags) > before
}

// blocksIn counts the blocks in a block at all levels, and reports too many.
func (d *decoder) blocksIn(b *hcl.Block) int {
	body, ok := b.Body.(*hclsyntax.Body)
	if !ok {
		return 0 // cannot be: only native syntax is parsed
	}
	n := len(body.Blocks)
	for _, inner := range body.Blocks { // how deep they go, the parser's guard bounds
		n += d.blocksIn(inner.AsHCLBlock())
	}
	if n > maxBlocks {
		d.fail(b.DefRange, tooComplex, "This holds %d blocks; at most %d are allowed.", n, maxBlocks)
	}
	return n
}
