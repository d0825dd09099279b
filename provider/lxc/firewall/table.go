package firewall

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// TableName is the name of the nftables tables of a bridge: "berth-berth0".
func TableName(bridge string) string { return "berth-" + bridge }

// Where a bridge has tables: one that leads out of the host, and a private one.
var (
	mainFamilies    = []nftables.TableFamily{nftables.TableFamilyIPv4}
	privateFamilies = []nftables.TableFamily{nftables.TableFamilyINet, nftables.TableFamilyBridge}
)

// HasMain reports whether a bridge that leads out has its table.
func HasMain(bridge string) bool { return hasTables(bridge, mainFamilies) }

// HasPrivate reports whether a private bridge has its tables.
func HasPrivate(bridge string) bool { return hasTables(bridge, privateFamilies) }

func hasTables(bridge string, families []nftables.TableFamily) bool {
	c, err := nftables.New()
	if err != nil {
		return false
	}
	for _, f := range families {
		if t, err := c.ListTableOfFamily(TableName(bridge), f); err != nil || t == nil {
			return false
		}
	}
	return true
}

// rules collects the rules of one table.
type rules struct {
	conn  *nftables.Conn
	table *nftables.Table
}

// newTable begins a bridge's table anew.
func newTable(c *nftables.Conn, bridge string, f nftables.TableFamily) rules {
	table := &nftables.Table{Name: TableName(bridge), Family: f}
	// Adding before deleting makes the deletion succeed whether it existed or not.
	c.AddTable(table)
	c.DelTable(table)
	c.AddTable(table)
	return rules{c, table}
}

// chain adds a base chain with rules to the table.
func (r rules) chain(kind nftables.ChainType, hook *nftables.ChainHook, priority nftables.ChainPriority, name string, all ...[]expr.Any) {
	chain := r.conn.AddChain(&nftables.Chain{Name: name, Table: r.table, Type: kind, Hooknum: hook, Priority: &priority})
	for _, exprs := range all {
		r.conn.AddRule(&nftables.Rule{Table: r.table, Chain: chain, Exprs: exprs})
	}
}

// outChain is the chain that counts what leaves.
const outChain = "postrouting"

// masquerade gives what leaves a subnet the host's address, and counts it: see
// Leaving.
func (r rules) masquerade(subnet netip.Prefix) {
	r.chain(nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource, outChain,
		match(source(subnet, expr.CmpOpEq), dest(subnet, expr.CmpOpNeq), []expr.Any{&expr.Counter{}, &expr.Masq{}}))
}

// MakeMain makes the table of root's main bridge anew, in one transaction: what
// leaves the subnet for elsewhere gets the host's address.
func MakeMain(bridge string, subnet netip.Prefix) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	newTable(c, bridge, nftables.TableFamilyIPv4).masquerade(subnet)
	if err := c.Flush(); err != nil {
		return fmt.Errorf("make the firewall table %s (is the kernel module nf_tables there?): %w", TableName(bridge), err)
	}
	return nil
}

// bridgeFilter is the priority "filter" in tables of the family bridge (nft(8)).
const bridgeFilter nftables.ChainPriority = -200

// MakePrivate makes a private bridge's tables anew. Drops hold whatever other
// tables accept. The names of all links in private bridges begin with ports, and
// no others do.
func MakePrivate(bridge string, subnet netip.Prefix, ports string) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	t := newTable(c, bridge, nftables.TableFamilyINet)
	// What is for the network but comes in elsewhere is dropped, the host's own
	// address there included.
	t.chain(nftables.ChainTypeFilter, nftables.ChainHookPrerouting, *nftables.ChainPriorityRaw, "prerouting",
		match(link(expr.MetaKeyIIFNAME, expr.CmpOpNeq, bridge), link(expr.MetaKeyIIFNAME, expr.CmpOpNeq, "lo"),
			family(subnet), dest(subnet, expr.CmpOpEq), drop()))
	// Nothing is forwarded into the network or out of it. Frames within the bridge
	// pass here too where the sysctl net.bridge.bridge-nf-call-iptables is on.
	t.chain(nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter-1, "forward",
		match(from(bridge), to(bridge), accept()),
		match(from(bridge), drop()),
		match(to(bridge), drop()))
	// Linux takes a packet for any of its addresses on any of its links, so a box
	// in the network could be sent one by its neighbours on the main bridge. It may
	// come in tags of VLAN 0, which Linux takes off however many there are: one is
	// off when a frame comes here.
	newTable(c, bridge, nftables.TableFamilyBridge).chain(nftables.ChainTypeFilter, nftables.ChainHookForward, bridgeFilter, "forward",
		match(outside(ports), frame(subnet), dest(subnet, expr.CmpOpEq), drop()),
		match(outside(ports), etherType([]byte{0x81, 0x00}), drop()),
		match(outside(ports), etherType([]byte{0x88, 0xa8}), drop()))
	if err := c.Flush(); err != nil {
		return fmt.Errorf("make the firewall tables %s (are the kernel modules nf_tables and nf_tables_bridge there?): %w", TableName(bridge), err)
	}
	return nil
}

// outside matches frames that come in by a link whose name begins in another way.
func outside(ports string) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte(ports)},
	}
}

// Remove removes a bridge's tables, those that are there.
func Remove(bridge string) error {
	for _, f := range append(mainFamilies, privateFamilies...) {
		c, err := nftables.New()
		if err != nil {
			return fmt.Errorf("reach nftables: %w", err)
		}
		c.DelTable(&nftables.Table{Name: TableName(bridge), Family: f})
		if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove the firewall table %s: %w", TableName(bridge), err)
		}
	}
	return nil
}
