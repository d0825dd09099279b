package firewall

import (
	"fmt"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// Barrier is a chain of another program that can drop what the host forwards and
// that rules of ours must not be put into.
type Barrier struct{ family, table, chain string }

func (b Barrier) String() string {
	return fmt.Sprintf("chain %q of the table %q (%s)", b.chain, b.table, b.family)
}

// IsForward reports whether it is the one chain in which LetThrough puts rules.
func (b Barrier) IsForward() bool { return b == iptablesForward }

var iptablesForward = Barrier{"ip", "filter", "FORWARD"}

// Fix says how to let a bridge through a chain.
func (b Barrier) Fix(bridge string) string {
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

// Barriers returns the chains of others that may drop what a box on a bridge sends.
func Barriers(bridge string) ([]Barrier, error) {
	var found []Barrier
	for _, name := range []string{"inet", "ip"} {
		all, err := chains(families[name])
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			if c.Hooknum == nil || *c.Hooknum != *nftables.ChainHookForward || strings.HasPrefix(c.Table.Name, TableName("")) {
				continue
			}
			b := Barrier{name, c.Table.Name, c.Name}
			drops, err := canDrop(c)
			if err == nil && drops && b.IsForward() {
				through, letErr := LetsThrough(bridge, false)
				drops, err = !through, letErr
			}
			if err != nil {
				return nil, err
			}
			if drops {
				found = append(found, b)
			}
		}
	}
	if hasLegacy() {
		found = append(found, Barrier{"ip", legacyTable, "FORWARD"})
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

// Leaving counts the connections that boxes have made beyond the host.
func Leaving(bridge string) (uint64, error) {
	table := &nftables.Table{Name: TableName(bridge), Family: nftables.TableFamilyIPv4}
	rules, err := rulesOf(&nftables.Chain{Name: outChain, Table: table})
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
