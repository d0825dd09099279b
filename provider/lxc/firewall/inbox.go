package firewall

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// InBoxTable is the name of the table that a user's box begins with.
const InBoxTable = "berth"

// MakeInBox makes a table in the calling thread's network namespace, a box's: what
// comes in by the main link for a private network's subnet is dropped. The host
// does the same for the bridges (mainPort), if its kernel can, and setup has
// made that; a box can lose its table, by its own nft flush ruleset.
func MakeInBox(main string, private []netip.Prefix) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	var all [][]expr.Any
	for _, p := range private {
		all = append(all, match(from(main), family(p), dest(p, expr.CmpOpEq), drop()))
	}
	t := rules{c, c.AddTable(&nftables.Table{Name: InBoxTable, Family: nftables.TableFamilyINet})}
	t.chain(nftables.ChainTypeFilter, nftables.ChainHookPrerouting, *nftables.ChainPriorityRaw, "prerouting", all...)
	if err := c.Flush(); err != nil {
		return fmt.Errorf("make the firewall table %s in the box: %w", InBoxTable, err)
	}
	return nil
}
