package lxc

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tableName is the name of the nftables tables of a bridge: "berth-berth0".
func tableName(bridge string) string { return "berth-" + bridge }

// Where a bridge has a table: the main bridge and a private one.
var (
	mainFamilies    = []nftables.TableFamily{nftables.TableFamilyIPv4}
	privateFamilies = []nftables.TableFamily{nftables.TableFamilyINet, nftables.TableFamilyBridge}
)

// hasTables reports whether a bridge has its tables in these families.
func hasTables(bridge string, families []nftables.TableFamily) bool {
	c, err := nftables.New()
	if err != nil {
		return false
	}
	for _, f := range families {
		if t, err := c.ListTableOfFamily(tableName(bridge), f); err != nil || t == nil {
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
	table := &nftables.Table{Name: tableName(bridge), Family: f}
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

// makeTable makes the main bridge's table anew, in one transaction: what leaves
// the subnet for elsewhere gets the host's address.
func makeTable(bridge string, subnet netip.Prefix) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	newTable(c, bridge, nftables.TableFamilyIPv4).chain(nftables.ChainTypeNAT, nftables.ChainHookPostrouting,
		*nftables.ChainPriorityNATSource, "postrouting",
		match(source(subnet, expr.CmpOpEq), dest(subnet, expr.CmpOpNeq), []expr.Any{&expr.Counter{}, &expr.Masq{}}))
	if err := c.Flush(); err != nil {
		return fmt.Errorf("make the firewall table %s (is the kernel module nf_tables there?): %w", tableName(bridge), err)
	}
	return nil
}

// bridgeFilter is the priority "filter" in tables of the family bridge (nft(8)).
const bridgeFilter nftables.ChainPriority = -200

// makePrivateTables makes a private bridge's tables anew. Drops hold whatever
// other tables accept.
func makePrivateTables(bridge string, subnet netip.Prefix) error {
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
	// in the network could be sent one by its neighbours on the main bridge.
	newTable(c, bridge, nftables.TableFamilyBridge).chain(nftables.ChainTypeFilter, nftables.ChainHookForward, bridgeFilter, "forward",
		match(outsidePrivate(), frame(subnet), dest(subnet, expr.CmpOpEq), drop()))
	if err := c.Flush(); err != nil {
		return fmt.Errorf("make the firewall tables %s (are the kernel modules nf_tables and nf_tables_bridge there?): %w", tableName(bridge), err)
	}
	return nil
}

// outsidePrivate matches frames that come in by another port than one of a
// private bridge.
func outsidePrivate() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte(privateLinkPrefix)},
	}
}

// removeTables removes the bridge's tables, those that are there.
func removeTables(bridge string) error {
	for _, f := range append(mainFamilies, privateFamilies...) {
		c, err := nftables.New()
		if err != nil {
			return fmt.Errorf("reach nftables: %w", err)
		}
		c.DelTable(&nftables.Table{Name: tableName(bridge), Family: f})
		if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove the firewall table %s: %w", tableName(bridge), err)
		}
	}
	return nil
}

const (
	ipForward = "/proc/sys/net/ipv4/ip_forward"
	// forwardMark says that Berth has turned forwarding on. It is in /run, so it
	// goes with a reboot as the setting does.
	forwardMark = stage + "/ip_forward"
)

// enableForwarding lets the host route. The host's lock must be held.
func enableForwarding() error {
	b, err := os.ReadFile(ipForward)
	if err != nil {
		return fmt.Errorf("read whether the host routes: %w", err)
	}
	if strings.TrimSpace(string(b)) == "1" {
		return nil
	}
	if err := os.WriteFile(forwardMark, nil, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(ipForward, []byte("1"), 0); err != nil {
		return fmt.Errorf("let the host route (net.ipv4.ip_forward): %w", err)
	}
	return nil
}

// restoreForwarding turns routing off again if Berth turned it on and nobody
// else can need it: another bridge is a sign of Docker, libvirt or another of
// our networks, which may rely on it by now. The host's lock must be held.
func restoreForwarding() error {
	if _, err := os.Stat(forwardMark); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	links, err := dump(netlink.LinkList)
	if err != nil {
		return fmt.Errorf("list network links: %w", err)
	}
	for _, l := range links {
		if l.Type() == "bridge" {
			return nil
		}
	}
	if err := os.WriteFile(ipForward, []byte("0"), 0); err != nil {
		return fmt.Errorf("stop the host routing (net.ipv4.ip_forward): %w", err)
	}
	return os.Remove(forwardMark)
}
