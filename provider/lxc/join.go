package lxc

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/firewall"
)

// joinNetworks gives the box its place in each private network that spec asks
// for, and makes those networks that are not there. Until release is called they
// stay, with or without a box in them. The store's lock must be held.
func (s store) joinNetworks(r *record, spec provider.Spec) (release func(), err error) {
	var holds []func()
	release = func() {
		for _, h := range holds {
			h()
		}
	}
	var nics []nic
	for _, want := range spec.Networks {
		bridge := privateBridge(s.root, spec.ProjectID, want.Name)
		hold, err := lockShared(s.privateFile(bridge, "lock"))
		if err != nil {
			release()
			return nil, err
		}
		holds = append(holds, hold)
		n, err := s.join(*r, spec, want, bridge)
		if err != nil {
			release()
			return nil, ofNetwork(want.Name, r.ID, err)
		}
		nics = append(nics, n)
	}
	r.NICs = nics
	return release, nil
}

// join finds subnet and address and makes the bridge.
func (s store) join(r record, spec provider.Spec, want provider.Network, bridge string) (nic, error) {
	p, known, err := s.loadPrivate(bridge)
	if err != nil {
		return nic{}, err
	}
	p.Bridge, p.Project, p.Name = bridge, spec.Project, want.Name
	given, err := subnetOf(want)
	if err != nil {
		return nic{}, err
	}
	up := known && p.isUp(s.root) && (!given.IsValid() || given == p.Subnet)
	if !up {
		unlock, err := flock(hostLock)
		if err != nil {
			return nic{}, err
		}
		defer unlock()
		if err := s.findSubnet(&p, given, spec.ProjectID); err != nil {
			return nic{}, err
		}
	}
	addr, err := s.findAddress(&p, r, want)
	if err != nil {
		return nic{}, err
	}
	if err := writeJSON(s.privateFile(bridge, "json"), p); err != nil {
		return nic{}, err
	}
	if !up {
		if err := p.make(s.root); err != nil {
			return nic{}, err
		}
	}
	return nic{Name: want.Name, Bridge: bridge, IP: addr}, firewall.LetThrough(bridge, true)
}

// subnetOf returns the subnet that a network must have; none when one is to be
// chosen.
func subnetOf(want provider.Network) (netip.Prefix, error) {
	text := want.Subnet
	if text == "" {
		text = want.IP
	}
	if text == "" {
		return netip.Prefix{}, nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is no subnet: %w", text, err)
	}
	return p.Masked(), nil
}

// findSubnet settles p.Subnet: the given one if nothing of the host is in its
// way, else the one that the network had or the first that is free. The host's
// lock must be held.
func (s store) findSubnet(p *private, given netip.Prefix, projectID string) error {
	if users := s.running(p.Bridge); len(users) > 0 && p.Subnet.IsValid() {
		if given.IsValid() && given != p.Subnet {
			return conflictf("it is %s for box %s, which runs, and is to be %s now: halt that box first", p.Subnet, users[0], given)
		}
		return nil
	}
	if err := sweepBridges(); err != nil {
		return err
	}
	if err := s.removeIdle(p.Bridge); err != nil {
		return err
	}
	routes, err := hostRoutes(p.Bridge, given.IsValid() && given.Addr().Is6())
	if err != nil {
		return err
	}
	if given.IsValid() {
		p.Subnet, p.Second = given, false
		if r, hit := hits(given, routes); hit {
			return overlap(given, r)
		}
		return nil
	}
	return s.chooseSubnet(p, projectID, routes)
}

// overlap says what is in a subnet's way.
func overlap(subnet netip.Prefix, r route) error {
	if r.owner != "" {
		return conflictf("its subnet %s overlaps %s, which is in use: halt the boxes there, or give this network another subnet in the Envfile", subnet, r)
	}
	return conflictf("its subnet %s overlaps the host's route to %s: the host would not reach one of the two; "+
		"give the network another subnet in the Envfile, or none to have one chosen", subnet, r)
}

// chooseSubnet keeps the subnet that the network had if it can, else takes the
// first that no route and no other network of the data folder has.
func (s store) chooseSubnet(p *private, projectID string, routes []route) error {
	if p.Subnet.IsValid() && p.Subnet.Addr().Is4() {
		if _, hit := hits(p.Subnet, routes); !hit {
			for first := range subnetChoices(projectID, p.Name) {
				p.Second = p.Subnet != first
				return nil
			}
		}
	}
	others, err := s.privates()
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.Bridge != p.Bridge {
			routes = append(routes, route{dst: o.Subnet, via: o.Bridge})
		}
	}
	var last route
	p.Second = false
	for candidate := range subnetChoices(projectID, p.Name) {
		r, hit := hits(candidate, routes)
		if !hit {
			p.Subnet = candidate
			return nil
		}
		p.Second, last = true, r
	}
	return fmt.Errorf("find a free subnet for it: the host has routes to all private ranges, such as %s: "+
		"disconnect that VPN or narrow its routes", last)
}

// findAddress returns the box's address: the wanted one, else the one it has or
// had, else the first choice that is free.
func (s store) findAddress(p *private, r record, want provider.Network) (netip.Prefix, error) {
	all, err := s.records()
	if err != nil {
		return netip.Prefix{}, err
	}
	taken := map[netip.Addr]string{}
	for _, other := range all {
		for _, n := range other.NICs {
			if n.Bridge == p.Bridge && other.ID != r.ID {
				taken[n.IP.Addr()] = other.ID
			}
		}
	}
	if want.IP != "" {
		ip, err := netip.ParsePrefix(want.IP)
		if err != nil || !p.usable(ip.Addr()) {
			return ip, conflictf("%q is no address for a box in %s", want.IP, p.Subnet)
		}
		delete(p.Addrs, r.Name)
		// One that does not run gets another at its start.
		if owner := taken[ip.Addr()]; owner != "" && slices.Contains(s.running(p.Bridge), owner) {
			return ip, conflictf("the address %s is that of box %s, which runs: halt that box first, or give one of the two another address",
				ip.Addr(), owner)
		}
		return ip, nil
	}
	for _, a := range want.Reserved {
		if addr, err := netip.ParseAddr(a); err == nil {
			taken[addr] = "reserved"
		}
	}
	return p.choose(r, taken)
}

// choose finds an address for a box that may have any.
func (p *private) choose(r record, taken map[netip.Addr]string) (netip.Prefix, error) {
	has := p.Addrs[r.Name]
	for _, n := range r.NICs {
		if n.Bridge == p.Bridge {
			has = n.IP.Addr()
		}
	}
	delete(p.Addrs, r.Name)
	for name, a := range p.Addrs {
		taken[a] = name
	}
	var first, picked netip.Addr
	if has.IsValid() && p.usable(has) && taken[has] == "" {
		picked = has
	}
	for a := range p.choices(r.Name) {
		if !first.IsValid() {
			first = a
		}
		if !picked.IsValid() && taken[a] == "" {
			picked = a
		}
		if picked.IsValid() {
			break
		}
	}
	if !picked.IsValid() {
		return netip.Prefix{}, fmt.Errorf("all addresses of %s are taken: destroy boxes that are not needed", p.Subnet)
	}
	if picked != first {
		if p.Addrs == nil {
			p.Addrs = map[string]netip.Addr{}
		}
		p.Addrs[r.Name] = picked
	}
	return netip.PrefixFrom(picked, p.Subnet.Bits()), nil
}
