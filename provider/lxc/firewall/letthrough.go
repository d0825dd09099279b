package firewall

import (
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/google/nftables/xt"
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
	err := eachChain(private, func(chain *nftables.Chain) error {
		if err := acceptIn(chain, bridge, private); err != nil {
			return fmt.Errorf("let %s through the firewall chain %s: %w", bridge, chain.Name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return letThroughLegacy(bridge, private)
}

// LetsThrough reports whether LetThrough would change nothing.
func LetsThrough(bridge string, private bool) (bool, error) {
	all := true
	err := eachChain(private, func(chain *nftables.Chain) error {
		has, err := accepts(chain, bridge)
		all = all && has
		return err
	})
	if err != nil || !all {
		return false, err
	}
	return letsThroughLegacy(bridge)
}

// eachChain calls f for the chains in which rules of ours belong.
func eachChain(private bool, f func(*nftables.Chain) error) error {
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
		if err := f(chain); err != nil {
			return err
		}
	}
	return nil
}

// accepts reports whether our rules are in a chain.
func accepts(chain *nftables.Chain, bridge string) (bool, error) {
	all, err := rulesOf(chain)
	return slices.ContainsFunc(all, func(r *nftables.Rule) bool { return commentOf(r) == ruleTag(bridge) }), err
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
	if has, err := accepts(chain, bridge); err != nil || has {
		return err
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
