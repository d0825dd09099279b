package lxc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/berth-dev/berth/provider/lxc/firewall"
)

// network is what the boxes of one data folder share: a bridge whose address is
// their gateway, and a firewall table named after it. network.json is written
// before either is made, and removed after both are gone.
type network struct {
	Bridge string       `json:"bridge"`
	Subnet netip.Prefix `json:"subnet"`
}

// hostLock keeps processes of different data folders from choosing the same
// bridge or subnet.
const hostLock = stage + "/network.lock"

// bridgeAlias marks a bridge as the one of the data folder root, so that its
// owner can be told from the link alone.
func bridgeAlias(root string) string { return "berth:" + root }

// ownerOf reads an alias of ours: the data folder, and for the bridge of a
// private network "NETWORK of project PROJECT".
func ownerOf(alias string) (root, private string, ours bool) {
	if root, ours = strings.CutPrefix(alias, "berth:"); ours {
		return root, "", true
	}
	if alias, ours = strings.CutPrefix(alias, "berth-net:"); ours {
		name, root, _ := strings.Cut(alias, ":")
		project, network, _ := strings.Cut(name, "/")
		return root, fmt.Sprintf("%q of project %q", network, project), true
	}
	return "", "", false
}

func (n network) gateway() netip.Addr { return n.Subnet.Addr().Next() }

func (n network) broadcast() netip.Addr {
	return lastOf(n.Subnet)
}

// usable reports whether a box may have the address: not the network's, not the
// gateway's, not the broadcast one.
func (n network) usable(a netip.Addr) bool {
	return n.Subnet.Contains(a) && a != n.Subnet.Addr() && a != n.gateway() && n.Subnet.Contains(a.Next())
}

// loadNetwork returns the recorded network, or false when there is none.
func (s store) loadNetwork() (network, bool, error) {
	var n network
	err := readRecord(s.networkFile(), &n)
	if errors.Is(err, fs.ErrNotExist) {
		return n, false, nil
	}
	return n, err == nil, err
}

// ensureNetwork returns the network, choosing and making what is missing. After
// a reboot of the host that is the bridge, which comes back as recorded unless
// its subnet is in use by then; the boxes then get new addresses.
// The store's lock must be held.
func (s store) ensureNetwork(ctx context.Context) (network, error) {
	n, known, err := s.loadNetwork()
	if err != nil {
		return n, err
	}
	if known {
		// The common case, and no need for the host's lock.
		if link, err := netlink.LinkByName(n.Bridge); err == nil && link.Attrs().Alias == bridgeAlias(s.root) &&
			link.Attrs().Flags&net.FlagUp != 0 && firewall.HasMain(n.Bridge) {
			// An older Berth's bridge may have IPv6 still.
			return n, errors.Join(setIPv6(n.Bridge, withoutIPv6), firewall.LetThrough(n.Bridge, false))
		}
	}
	unlock, err := flock(hostLock)
	if err != nil {
		return n, err
	}
	defer unlock()
	if err := sweepBridges(); err != nil {
		return n, err
	}
	if n, err = s.chooseNetwork(n); err != nil {
		return n, err
	}
	if err := writeJSON(s.networkFile(), n); err != nil {
		return n, err
	}
	if err := n.make(s.root); err != nil {
		return n, err
	}
	return n, ctx.Err()
}

// chooseNetwork keeps what n has as far as it is free.
func (s store) chooseNetwork(n network) (network, error) {
	links, err := dump(netlink.LinkList)
	if err != nil {
		return n, fmt.Errorf("list network links: %w", err)
	}
	taken := map[string]string{}
	for _, l := range links {
		taken[l.Attrs().Name] = l.Attrs().Alias
	}
	free := func(name string) bool {
		alias, exists := taken[name]
		return !exists || alias == bridgeAlias(s.root)
	}
	for i := 0; n.Bridge == "" || !free(n.Bridge); i++ {
		n.Bridge = fmt.Sprintf("berth%d", i)
	}
	routes, err := hostRoutes(n.Bridge, false)
	if err != nil {
		return n, err
	}
	n.Subnet, err = chooseSubnet(n.Subnet, routes)
	return n, err
}

// make creates or completes the bridge, its address and its firewall table.
func (n network) make(root string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = n.Bridge
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(bridge); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make bridge %s: %w", n.Bridge, err)
	}
	link, err := netlink.LinkByName(n.Bridge)
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", n.Bridge, err)
	}
	if err := netlink.LinkSetAlias(link, bridgeAlias(root)); err != nil {
		return fmt.Errorf("mark bridge %s: %w", n.Bridge, err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: n.gateway().AsSlice(), Mask: net.CIDRMask(n.Subnet.Bits(), 32)}}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return fmt.Errorf("set address %s on %s: %w", addr, n.Bridge, err)
	}
	if err := setIPv6(n.Bridge, withoutIPv6); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", n.Bridge, err)
	}
	if err := firewall.MakeMain(n.Bridge, n.Subnet); err != nil {
		return err
	}
	if err := firewall.LetThrough(n.Bridge, false); err != nil {
		return err
	}
	return enableForwarding()
}

// releaseNetwork removes the network when no box is left. The store's lock must
// be held.
func (s store) releaseNetwork() error {
	left, err := s.records()
	if err != nil || len(left) > 0 {
		return err
	}
	n, known, err := s.loadNetwork()
	if err != nil || !known {
		return err
	}
	unlock, err := flock(hostLock)
	if err != nil {
		return err
	}
	defer unlock()
	link, err := netlink.LinkByName(n.Bridge)
	if err == nil && link.Attrs().Alias == bridgeAlias(s.root) {
		if err := removeBridge(link); err != nil {
			return err
		}
	}
	return os.Remove(s.networkFile())
}

// removeBridge removes a bridge of ours with its rules, and forwarding with the
// last of them. The host's lock must be held.
func removeBridge(link netlink.Link) error {
	name := link.Attrs().Name
	if err := firewall.RemoveRules(func(bridge string) bool { return bridge == name }); err != nil {
		return err
	}
	if err := firewall.Remove(name); err != nil {
		return err
	}
	if err := netlink.LinkDel(link); err != nil && !isLinkNotFound(err) {
		return fmt.Errorf("remove bridge %s: %w", name, err)
	}
	return restoreForwarding()
}

// sweepBridges removes bridges whose data folder is gone, and rules in others'
// tables whose bridge is: somebody removed them by hand. The host's lock must be held.
func sweepBridges() error {
	links, err := dump(netlink.LinkList)
	if err != nil {
		return fmt.Errorf("list network links: %w", err)
	}
	there := map[string]bool{}
	for _, l := range links {
		there[l.Attrs().Name] = true
		root, _, ours := ownerOf(l.Attrs().Alias)
		if !ours || l.Type() != "bridge" {
			continue
		}
		if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
			if err := removeBridge(l); err != nil {
				return err
			}
		}
	}
	return firewall.RemoveRules(func(bridge string) bool { return !there[bridge] })
}

func isLinkNotFound(err error) bool {
	var missing netlink.LinkNotFoundError
	return errors.As(err, &missing)
}

// assignAddress gives a box an address of the network, keeping the one it has
// if that still fits. The store's lock must be held.
func (s store) assignAddress(r *record, n network) error {
	all, err := s.records()
	if err != nil {
		return err
	}
	var taken []netip.Addr
	for _, other := range all {
		if other.ID != r.ID {
			taken = append(taken, other.Addr)
		}
	}
	if n.usable(r.Addr) && !slices.Contains(taken, r.Addr) {
		return nil
	}
	for a := n.gateway().Next(); n.usable(a); a = a.Next() {
		if !slices.Contains(taken, a) {
			r.Addr = a
			return nil
		}
	}
	return fmt.Errorf("box %s: all %d addresses of %s (%s) are taken: destroy boxes that are not needed",
		r.ID, len(taken), n.Bridge, n.Subnet)
}
