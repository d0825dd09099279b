package firewall

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
)

// Other programs' firewalls. A packet passes all chains of the hook "forward",
// and a drop in one of them is final whatever ours accept (nft(8), "Verdict
// statement"). Docker and ufw let iptables' chain FORWARD drop what they do not
// know, so rules that accept our bridges have to be in there: at its top, or in
// DOCKER-USER, the chain that Docker leaves to others. They are known by their
// comment and go with the bridge.

// ruleTag is the comment of rules for a bridge.
func ruleTag(bridge string) string { return "berth:" + bridge }

// filterFamilies are those in which iptables has its table filter.
var filterFamilies = []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6}

// LetThrough makes sure that iptables' chains accept what a bridge forwards:
// for the main bridge what boxes send and the answers, for a private one what
// passes from port to port, where the kernel shows that to iptables.
func LetThrough(bridge string, private bool) error {
	for _, family := range filterFamilies {
		if family == nftables.TableFamilyIPv6 && !private {
			continue // the main bridge is IPv4
		}
		chain, err := forwardChain(family)
		if err != nil {
			return err
		}
		if chain == nil {
			continue
		}
		if err := acceptIn(chain, bridge, private); err != nil {
			return fmt.Errorf("let %s through the firewall chain %s: %w", bridge, chain.Name, err)
		}
	}
	return letThroughLegacy(bridge, private)
}

// forwardChain returns the chain of iptables' table filter in which rules of ours
// belong; nil when nothing there can drop anything.
func forwardChain(family nftables.TableFamily) (*nftables.Chain, error) {
	all, err := chains(family)
	if err != nil {
		return nil, err
	}
	var forward, docker *nftables.Chain
	for _, c := range all {
		if c.Table.Name != "filter" {
			continue
		}
		switch c.Name {
		case "FORWARD":
			forward = c
		case "DOCKER-USER":
			docker = c
		}
	}
	if forward == nil || docker != nil {
		return docker, nil
	}
	rules, err := rulesOf(forward)
	if err != nil {
		return nil, err
	}
	if len(rules) == 0 && (forward.Policy == nil || *forward.Policy == nftables.ChainPolicyAccept) {
		return nil, nil
	}
	return forward, nil
}

// acceptIn puts our rules at the top of a chain, unless they are in it.
func acceptIn(chain *nftables.Chain, bridge string, private bool) error {
	all, err := rulesOf(chain)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(r *nftables.Rule) bool { return commentOf(r) == ruleTag(bridge) }) {
		return nil
	}
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	insert := func(parts ...[]expr.Any) {
		c.InsertRule(&nftables.Rule{Table: chain.Table, Chain: chain, UserData: tagData(bridge),
			Exprs: match(append(parts, []expr.Any{&expr.Counter{}}, accept())...)})
	}
	if !private {
		insert(to(bridge), []expr.Any{answers()})
	}
	insert(from(bridge))
	return c.Flush()
}

// answers matches packets of connections that are known, as iptables' -m
// conntrack --ctstate RELATED,ESTABLISHED: iptables cannot list a chain with
// nftables' own "ct state" in it.
func answers() expr.Any {
	info := xt.ConntrackMtinfo3{}
	info.MatchFlags = 1 << 0     // XT_CONNTRACK_STATE
	info.StateMask = 1<<1 | 1<<2 // XT_CONNTRACK_STATE_BIT of ESTABLISHED and RELATED
	return &expr.Match{Name: "conntrack", Rev: 3, Info: &info}
}

// tagData is a rule's comment as nft and iptables write it (libnftnl's udata.h).
func tagData(bridge string) []byte {
	return userdata.AppendString(nil, userdata.TypeComment, ruleTag(bridge))
}

func commentOf(r *nftables.Rule) string {
	text, _ := userdata.GetString(r.UserData, userdata.TypeComment)
	return text
}

// tagged returns the rules in iptables' tables that are ours.
func tagged() ([]*nftables.Rule, error) {
	var ours []*nftables.Rule
	for _, family := range filterFamilies {
		all, err := chains(family)
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			if c.Table.Name != "filter" || c.Name != "FORWARD" && c.Name != "DOCKER-USER" {
				continue
			}
			rules, err := rulesOf(c)
			if err != nil {
				return nil, err
			}
			for _, r := range rules {
				if strings.HasPrefix(commentOf(r), ruleTag("")) {
					ours = append(ours, r)
				}
			}
		}
	}
	return ours, nil
}

// RemoveRules removes the rules for bridges of which gone says so.
func RemoveRules(gone func(bridge string) bool) error {
	ours, err := tagged()
	if err != nil {
		return err
	}
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	for _, r := range ours {
		if gone(strings.TrimPrefix(commentOf(r), ruleTag(""))) {
			if err := c.DelRule(r); err != nil {
				return err
			}
		}
	}
	if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove rules from the chain FORWARD: %w", err)
	}
	return removeLegacyRules(gone)
}

// Orphaned lists what is in the firewall for bridges that are not there.
func Orphaned(bridges map[string]bool) ([]string, error) {
	var found []string
	for _, f := range append(mainFamilies, privateFamilies...) {
		c, err := nftables.New()
		if err != nil {
			return nil, fmt.Errorf("reach nftables: %w", err)
		}
		tables, err := c.ListTablesOfFamily(f)
		if err != nil {
			return nil, fmt.Errorf("list firewall tables: %w", err)
		}
		for _, t := range tables {
			if bridge, ours := strings.CutPrefix(t.Name, TableName("")); ours && !bridges[bridge] {
				found = append(found, "table "+t.Name)
			}
		}
	}
	ours, err := tagged()
	for _, r := range ours {
		if bridge := strings.TrimPrefix(commentOf(r), ruleTag("")); !bridges[bridge] {
			found = append(found, "rule for "+bridge+" in "+r.Chain.Name)
		}
	}
	return found, err
}

// chains returns the chains of a family.
func chains(family nftables.TableFamily) ([]*nftables.Chain, error) {
	c, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("reach nftables: %w", err)
	}
	all, err := c.ListChainsOfTableFamily(family)
	if err != nil {
		return nil, fmt.Errorf("list firewall chains: %w", err)
	}
	return all, nil
}

// rulesOf returns the rules of a chain, none when it has just gone.
func rulesOf(chain *nftables.Chain) ([]*nftables.Rule, error) {
	c, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("reach nftables: %w", err)
	}
	rules, err := c.GetRules(chain.Table, chain)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("list the rules of the firewall chain %s: %w", chain.Name, err)
	}
	return rules, nil
}
