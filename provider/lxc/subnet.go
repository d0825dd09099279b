package lxc

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// subnetBits makes a network of 1021 boxes.
const subnetBits = 22

// route is a destination that the host already reaches some way.
type route struct {
	dst netip.Prefix
	via string // name of the link, for messages
	// owner is the private network that the link is of, as ownerOf says it;
	// empty when the link is none of ours.
	owner string
}

// String names the route for a message.
func (r route) String() string {
	switch {
	case r.owner != "":
		return fmt.Sprintf("%s, network %s", r.dst, r.owner)
	case r.via == "":
		return r.dst.String()
	}
	return fmt.Sprintf("%s on %s", r.dst, r.via)
}

// hostRoutes returns the routes of all tables, but default ones and those of
// the bridge itself. The halves of the address space that some VPNs use for a
// default route (0.0.0.0/1 and 128.0.0.0/1) are default routes too.
func hostRoutes(bridge string, ipv6 bool) ([]route, error) {
	family := netlink.FAMILY_V4
	if ipv6 {
		family = netlink.FAMILY_V6
	}
	all, err := dump(func() ([]netlink.Route, error) {
		return netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return nil, fmt.Errorf("list the host's routes: %w", err)
	}
	links, err := dump(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list network links: %w", err)
	}
	byIndex := map[int]*netlink.LinkAttrs{}
	for _, l := range links {
		byIndex[l.Attrs().Index] = l.Attrs()
	}
	var routes []route
	for _, r := range all {
		if r.Dst == nil {
			continue
		}
		addr, ok := netip.AddrFromSlice(r.Dst.IP)
		bits, _ := r.Dst.Mask.Size()
		found := route{dst: netip.PrefixFrom(addr.Unmap(), bits)}
		if l := byIndex[r.LinkIndex]; l != nil {
			found.via = l.Name
			_, found.owner, _ = ownerOf(l.Alias)
		}
		if ok && bits > 1 && (found.via == "" || found.via != bridge) {
			routes = append(routes, found)
		}
	}
	return routes, nil
}

// chooseSubnet returns wanted if it hits no route, else the first candidate
// that does not.
func chooseSubnet(wanted netip.Prefix, routes []route) (netip.Prefix, error) {
	if wanted.IsValid() {
		if _, hit := hits(wanted, routes); !hit {
			return wanted, nil
		}
	}
	var last route
	for _, candidate := range candidates() {
		r, hit := hits(candidate, routes)
		if !hit {
			return candidate, nil
		}
		last = r
	}
	return netip.Prefix{}, fmt.Errorf("find a free subnet for boxes: the host has routes to all private ranges, such as %s: "+
		"disconnect that VPN or narrow its routes", last)
}

func hits(p netip.Prefix, routes []route) (route, bool) {
	for _, r := range routes {
		if r.dst.Overlaps(p) {
			return r, true
		}
	}
	return route{}, false
}

// candidates are subnets that few others use: the middle of 10/8 first, where
// neither home routers nor the defaults of OpenVPN, Podman and Kubernetes are,
// then upper parts of 172.16/12 and 192.168/16 for when a company's VPN has all
// of 10/8. 100.64/10 is left to overlay VPNs.
func candidates() []netip.Prefix {
	var all []netip.Prefix
	add := func(a, b byte) {
		for c := 0; c < 256; c += 1 << (24 - subnetBits) {
			all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, byte(c), 0}), subnetBits))
		}
	}
	add(10, 177)
	add(10, 178)
	add(172, 30)
	add(192, 168)
	return all
}

// lastOf returns the last address of a prefix: of IPv4 the broadcast address.
func lastOf(p netip.Prefix) netip.Addr {
	a, mask := p.Masked().Addr().AsSlice(), net.CIDRMask(p.Bits(), p.Addr().BitLen())
	for i := range a {
		a[i] |= ^mask[i]
	}
	last, _ := netip.AddrFromSlice(a) // its length is that of an address
	return last
}

// dump lists links, addresses or routes, once more when they change meanwhile:
// the kernel says then that the list may have holes.
func dump[T any](list func() ([]T, error)) (all []T, err error) {
	for range 20 {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return all, err
}
