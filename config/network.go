package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Network is a network that a box joins besides the one it always has.
type Network struct {
	Name      string       // boxes with a network of the same name reach each other
	IP        netip.Prefix // address and prefix length; zero: one is chosen
	DeclRange hcl.Range
}

func (d *decoder) decodeNetworks(b *Box, blocks hcl.Blocks) {
	seen := d.unique("network", blocks)
	for _, block := range seen {
		n := Network{Name: block.Labels[0], DeclRange: block.DefRange}
		if err := checkName(n.Name); err != nil {
			d.fail(block.LabelRanges[0], "Invalid name", "A network cannot be named %q: %s.", n.Name, err)
		}
		attrs := d.content(block.Body, networkSchema).Attributes
		var ip string
		if d.text(attrs["ip"], &ip, checkPrefix); ip != "" {
			n.IP = netip.MustParsePrefix(ip) // checkPrefix did
		}
		b.Networks = slices.DeleteFunc(b.Networks, func(o Network) bool { return o.Name == n.Name })
		b.Networks = append(b.Networks, n)
		d.checkYet("network", `"network" blocks`, block.DefRange)
	}
}

func checkPrefix(s string) error {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return fmt.Errorf(`write an address with its prefix length, such as "10.60.0.10/24"`)
	case p.Addr() == p.Masked().Addr() && p.Bits() < p.Addr().BitLen()-1:
		return fmt.Errorf("this is the address of the network itself")
	case p.Addr().IsLoopback() || p.Addr().IsMulticast() || p.Addr().IsUnspecified():
		return fmt.Errorf("a box cannot have this address")
	}
	return nil
}

// unique drops and reports blocks with a label that an earlier one has.
func (d *decoder) unique(what string, blocks hcl.Blocks) hcl.Blocks {
	first := map[string]*hcl.Block{}
	var out hcl.Blocks
	for _, b := range blocks {
		if f := first[b.Labels[0]]; f != nil {
			d.fail(b.LabelRanges[0], "Duplicate "+what, "There is a %s %q already, at %s.", what, b.Labels[0], place(f.DefRange))
			continue
		}
		first[b.Labels[0]] = b
		out = append(out, b)
	}
	return out
}

var networkSchema = &hcl.BodySchema{Attributes: attributes("ip")}
