package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Network is a private network that a box joins besides the one it always has.
type Network struct {
	Name      string       // boxes of the project with a network of the same name reach each other
	IP        netip.Prefix // address and prefix length; zero: one is chosen
	DeclRange hcl.Range

	ipRange hcl.Range // where IP was written
}

// maxNetworks is how many private networks a box can join: eth1 to eth9.
const maxNetworks = 9

func (d *decoder) decodeNetworks(b *Box, blocks hcl.Blocks) {
	seen := d.unique("network", blocks)
	for _, block := range seen {
		n := Network{Name: block.Labels[0], DeclRange: block.DefRange}
		if err := checkName(n.Name); err != nil {
			d.fail(block.LabelRanges[0], "Invalid name", "A network cannot be named %q: %s.", n.Name, err)
		}
		attrs := d.content(block.Body, networkSchema).Attributes
		at := block.LabelRanges[0]
		var ip string
		if d.text(attrs["ip"], &ip, checkPrefix); ip != "" {
			n.IP = netip.MustParsePrefix(ip) // checkPrefix did
			n.ipRange = attrs["ip"].Expr.Range()
			at = n.ipRange
		}
		b.ranges["network."+n.Name] = at
		b.Networks = slices.DeleteFunc(b.Networks, func(o Network) bool { return o.Name == n.Name })
		b.Networks = append(b.Networks, n)
	}
	if len(b.Networks) > maxNetworks && len(seen) > 0 {
		d.fail(seen[len(seen)-1].DefRange, "Too many networks", "A box can join %d networks.", maxNetworks)
	}
}

// private are the ranges that a network may lie in. Others belong to somebody:
// with them, the Envfile of a repository could draw the host's traffic to them
// into a box.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
}

func checkPrefix(s string) error {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return fmt.Errorf(`write an address with its prefix length, such as "10.60.0.10/24" or "fd00:60::10/64"`)
	}
	first, last := p.Masked().Addr(), lastOf(p)
	switch {
	case p.Addr().Is4In6() || !slices.ContainsFunc(private, func(r netip.Prefix) bool { return r.Contains(first) && r.Contains(last) }):
		return fmt.Errorf("%s is not within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 or fc00::/7, the ranges for private networks", p.Masked())
	case p.Bits() > p.Addr().BitLen()-2:
		return fmt.Errorf("a network of /%d is too small for a host and a box", p.Bits())
	case p.Addr() == first:
		return fmt.Errorf("this is the address of the network itself")
	case p.Addr() == first.Next():
		return fmt.Errorf("%s, the first address of the network, is the host's", p.Addr())
	case p.Addr().Is4() && p.Addr() == last:
		return fmt.Errorf("this is the broadcast address of the network")
	}
	return nil
}

// lastOf returns the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b) // its length is that of an address
	return a
}

// Subnet returns the subnet of a network, if a box says in which it is, and the
// addresses that boxes have there. A valid Envfile has one at most.
func (e *Envfile) Subnet(network string) (subnet netip.Prefix, addrs []netip.Addr) {
	for _, b := range e.Boxes {
		for _, n := range b.Networks {
			if n.Name == network && n.IP.IsValid() {
				subnet = n.IP.Masked()
				addrs = append(addrs, n.IP.Addr())
			}
		}
	}
	return subnet, addrs
}

// checkNetworks checks that boxes agree on what their networks are. Each
// address is compared with those before it.
func (d *decoder) checkNetworks(e *Envfile) {
	type member struct {
		box *Box
		Network
	}
	var all []member
	for _, b := range e.Boxes {
		for _, n := range b.Networks {
			if !n.IP.IsValid() {
				continue
			}
			for _, o := range all {
				if d.checkPair(b, n, o.box, o.Network) {
					break
				}
			}
			all = append(all, member{b, n})
		}
	}
}

// checkPair reports what is wrong with a box's address beside an earlier one,
// and whether anything is.
func (d *decoder) checkPair(b *Box, n Network, first *Box, o Network) bool {
	at := place(o.ipRange)
	switch {
	case n.Name != o.Name && n.IP.Overlaps(o.IP):
		d.fail(n.ipRange, "Networks overlap", "Network %q in %s overlaps network %q in %s, of box %q, at %s.",
			n.Name, n.IP.Masked(), o.Name, o.IP.Masked(), first.Name, at)
	case n.Name != o.Name:
		return false
	case n.IP.Masked() != o.IP.Masked():
		d.fail(n.ipRange, "Address outside its network", "Network %q is %s, as box %q says at %s, and %s is an address of %s.",
			n.Name, o.IP.Masked(), first.Name, at, n.IP, n.IP.Masked())
	case n.IP.Addr() == o.IP.Addr():
		d.fail(n.ipRange, "Address taken", "Box %q cannot have %s in network %q: box %q has it, at %s.",
			b.Name, n.IP.Addr(), n.Name, first.Name, at)
	default:
		return false
	}
	return true
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
