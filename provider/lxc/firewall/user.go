package firewall

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// userFamilies are those in which a user's bridges have tables.
var userFamilies = []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyBridge}

// HasUser reports whether a user's bridges have their tables.
func HasUser(bridge string) bool { return hasTables(bridge, userFamilies) }

// MakeUser makes the tables of a user's bridges anew: what leaves for elsewhere
// gets the host's address, and nobody but the host begins to talk to a user's
// boxes, the boxes of other users included. What is on a private bridge stays
// there, and nothing gets to a private network by way of the main bridge.
func MakeUser(bridge string, subnet netip.Prefix, private []string) error {
	inside := mainPort(bridge, subnet)
	err := makeUser(bridge, subnet, private, inside)
	if errors.Is(err, unix.EOPNOTSUPP) {
		// A kernel without NFT_BRIDGE_META, which no distribution's is. There the
		// boxes' own tables are all that there is (MakeInBox).
		err = makeUser(bridge, subnet, private, nil)
	}
	if err != nil {
		return fmt.Errorf("make the firewall tables %s (are the kernel modules nf_tables, nf_tables_bridge and nft_meta_bridge there?): %w",
			TableName(bridge), err)
	}
	return nil
}

func makeUser(bridge string, subnet netip.Prefix, private []string, inside [][]expr.Any) error {
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
	newTable(c, bridge, nftables.TableFamilyBridge).
		chain(nftables.ChainTypeFilter, nftables.ChainHookForward, bridgeFilter, "forward", inside...)
	return c.Flush()
}

// mainPort are the rules for frames that go from one port of the main bridge to
// another. Linux takes a packet for any of its addresses on any of its links, so a
// box could be sent one for its address in a private network. What passes is
// listed, since a frame can be wrapped in others that the receiver unwraps.
func mainPort(bridge string, subnet netip.Prefix) [][]expr.Any {
	in := link(expr.MetaKeyBRIIIFNAME, expr.CmpOpEq, bridge)
	arp := []byte{0x08, 0x06}
	all := [][]expr.Any{match(in, etherType(arp), accept())}
	for _, p := range []netip.Prefix{subnet, multicast, broadcast} {
		all = append(all, match(in, frame(p), dest(p, expr.CmpOpEq), accept()))
	}
	return append(all, match(in, drop()))
}

// Where IPv4 packets go that are for all on a link.
var (
	multicast = netip.MustParsePrefix("224.0.0.0/4")
	broadcast = netip.MustParsePrefix("255.255.255.255/32")
)

// begun matches packets that belong to no connection that the other side began.
func begun() []expr.Any {
	known := binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: known, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: make([]byte, 4)},
	}
}
