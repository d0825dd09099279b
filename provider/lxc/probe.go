package lxc

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// probeAddr is where the probe goes: an address for documentation (RFC 5737), so
// nobody is there. It has no more than two hops to live.
var probeAddr = netip.MustParseAddr("203.0.113.1")

// probeTimeout is long for a packet that stays on this host.
const probeTimeout = 200 * time.Millisecond

// barrier is a chain of another program that can drop what the host forwards and
// that rules of ours must not be put into.
type barrier struct{ family, table, chain string }

// checkForwarding finds out, when there is such a chain, whether it lets the box
// out: by sending a packet from within the box's network namespace and looking
// whether it comes to the main bridge's last chain. It returns the warning.
func checkForwarding(ctx context.Context, n network, pid int) (warning string, err error) {
	all, err := barriers()
	if err != nil || len(all) == 0 || pid == 0 {
		return "", err
	}
	to := &unix.SockaddrInet4{Port: 9, Addr: probeAddr.As4()} // discard
	if routes, err := netlink.RouteGet(to.Addr[:]); err != nil || len(routes) == 0 {
		return "", nil // there is no way out to be barred
	}
	before, err := leaving(n.Bridge)
	if err != nil {
		return "", err
	}
	if err := inNetwork(pid, func() error { return send(to) }); err != nil {
		return "", fmt.Errorf("try the box's network: %w", err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(probeTimeout); time.Now().Before(deadline); {
		now, err := leaving(n.Bridge)
		if err != nil || now > before {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-tick.C:
		}
	}
	return all[0].advice(n.Bridge), nil
}

// advice says what the user can do about a chain.
func (b barrier) advice(bridge string) string {
	return fmt.Sprintf("it reaches nothing beyond this host: the firewall chain %q of the table %q (%s) drops what it sends, "+
		"and no other table can overrule that. ", b.chain, b.table, b.family) + b.fix(bridge)
}

// fix says how to let a bridge through a chain.
func (b barrier) fix(bridge string) string {
	if b.table == "firewalld" {
		return fmt.Sprintf("Let the bridge through: firewall-cmd --permanent --zone=trusted --add-interface=%s && firewall-cmd --reload", bridge)
	}
	rule := fmt.Sprintf("nft insert rule %s %s %s ", b.family, b.table, b.chain)
	if b.table == legacyTable {
		rule = fmt.Sprintf("iptables-legacy -I %s 1 ", b.chain)
		return fmt.Sprintf("Let the bridge through: %s-i %s -j ACCEPT && %[1]s-o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
			rule, bridge, bridge)
	}
	return fmt.Sprintf("Let the bridge through: %siifname %s accept && %[1]soifname %s ct state established,related accept",
		rule, bridge, bridge)
}

// legacyTable stands for the old iptables' table filter, whose rules only its
// own program can read.
const legacyTable = "iptables-legacy filter"

var families = map[string]nftables.TableFamily{"inet": nftables.TableFamilyINet, "ip": nftables.TableFamilyIPv4}

// barriers returns the chains of others that may drop what a box sends.
func barriers() ([]barrier, error) {
	var found []barrier
	for _, name := range []string{"inet", "ip"} {
		all, err := chains(families[name])
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			if c.Hooknum == nil || *c.Hooknum != *nftables.ChainHookForward || strings.HasPrefix(c.Table.Name, tableName("")) {
				continue
			}
			if name == "ip" && c.Table.Name == "filter" && c.Name == "FORWARD" {
				continue // letThrough has seen to it
			}
			if drops, err := canDrop(c); err != nil {
				return nil, err
			} else if drops {
				found = append(found, barrier{name, c.Table.Name, c.Name})
			}
		}
	}
	if hasLegacy() {
		found = append(found, barrier{"ip", legacyTable, "FORWARD"})
	}
	return found, nil
}

// canDrop reports whether a chain drops or rejects by its policy or a rule.
func canDrop(c *nftables.Chain) (bool, error) {
	if c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop {
		return true, nil
	}
	rules, err := rulesOf(c)
	if err != nil {
		return false, err
	}
	for _, r := range rules {
		for _, e := range r.Exprs {
			if v, ok := e.(*expr.Verdict); ok && v.Kind == expr.VerdictDrop {
				return true, nil
			}
			if _, ok := e.(*expr.Reject); ok {
				return true, nil
			}
		}
	}
	return false, nil
}

// leaving counts the connections that boxes have made beyond the host.
func leaving(bridge string) (uint64, error) {
	table := &nftables.Table{Name: tableName(bridge), Family: nftables.TableFamilyIPv4}
	rules, err := rulesOf(&nftables.Chain{Name: "postrouting", Table: table})
	var packets uint64
	for _, r := range rules {
		for _, e := range r.Exprs {
			if counter, ok := e.(*expr.Counter); ok {
				packets += counter.Packets
			}
		}
	}
	return packets, err
}

// send sends an empty packet.
func send(to *unix.SockaddrInet4) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, 2); err != nil {
		return err
	}
	return unix.Sendto(fd, nil, 0, to)
}
