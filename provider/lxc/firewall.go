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

// tableName is the nftables table of a bridge: "berth-berth0".
func tableName(bridge string) string { return "berth-" + bridge }

// hasTable reports whether the bridge's table is there.
func hasTable(bridge string) bool {
	c, err := nftables.New()
	if err != nil {
		return false
	}
	t, err := c.ListTableOfFamily(tableName(bridge), nftables.TableFamilyIPv4)
	return err == nil && t != nil
}

// makeTable makes the bridge's table anew, in one transaction: what leaves the
// subnet for elsewhere gets the host's address.
func makeTable(bridge string, subnet netip.Prefix) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	table := &nftables.Table{Name: tableName(bridge), Family: nftables.TableFamilyIPv4}
	// Adding before deleting makes the deletion succeed whether it existed or not.
	c.AddTable(table)
	c.DelTable(table)
	c.AddTable(table)
	chain := c.AddChain(&nftables.Chain{
		Name:     "postrouting",
		Table:    table,
		Type:     nftables.ChainTypeNAT,
		Hooknum:  nftables.ChainHookPostrouting,
		Priority: nftables.ChainPriorityNATSource,
	})
	first, mask := subnet.Addr().As4(), maskOf(subnet)
	c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(
		inSubnet(12, first[:], mask, expr.CmpOpEq), // source address: in the subnet
		append(inSubnet(16, first[:], mask, expr.CmpOpNeq), // destination: not in it
			&expr.Masq{})...)})
	if err := c.Flush(); err != nil {
		return fmt.Errorf("make the firewall table %s (is the kernel module nf_tables there?): %w", table.Name, err)
	}
	return nil
}

// inSubnet compares the address at an offset of the IPv4 header with a subnet.
func inSubnet(offset uint32, addr, mask []byte, op expr.CmpOp) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: op, Register: 1, Data: addr},
	}
}

func maskOf(p netip.Prefix) []byte {
	m := ^uint32(0) << (32 - p.Bits())
	return []byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}
}

// removeTable removes the bridge's table if it is there.
func removeTable(bridge string) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	c.DelTable(&nftables.Table{Name: tableName(bridge), Family: nftables.TableFamilyIPv4})
	if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove the firewall table %s: %w", tableName(bridge), err)
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
	links, err := netlink.LinkList()
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
