package firewall

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
)

// MakeUser makes the table of a user's bridges anew: what leaves for elsewhere
// gets the host's address, and nobody but the host begins to talk to a user's
// boxes, the boxes of other users included. What is on a private bridge stays
// there.
func MakeUser(bridge string, subnet netip.Prefix, private []string) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	t := newTable(c, bridge, nftables.TableFamilyIPv4)
	t.masquerade(subnet)
	forward := [][]expr.Any{match(link(expr.MetaKeyIIFNAME, expr.CmpOpNeq, bridge), to(bridge), begun(), drop())}
	for _, name := range private {
		forward = append(forward,
			match(from(name), link(expr.MetaKeyOIFNAME, expr.CmpOpNeq, name), drop()),
			match(link(expr.MetaKeyIIFNAME, expr.CmpOpNeq, name), to(name), drop()))
	}
	t.chain(nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter-1, "forward", forward...)
	if err := c.Flush(); err != nil {
		return fmt.Errorf("make the firewall table %s (is the kernel module nf_tables there?): %w", TableName(bridge), err)
	}
	return nil
}

// begun matches packets that belong to no connection that the other side began.
func begun() []expr.Any {
	known := binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: known, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: make([]byte, 4)},
	}
}
