package firewall

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

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
