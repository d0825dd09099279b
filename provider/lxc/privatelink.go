package lxc

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/cgroup"
	"github.com/berth-dev/berth/provider/lxc/firewall"
)

// isUp reports whether the network is made, whole.
func (p private) isUp(root string) bool {
	link, err := netlink.LinkByName(p.Bridge)
	if err != nil || !ownsPrivate(root, link) || link.Attrs().Flags&net.FlagUp == 0 || !firewall.HasPrivate(p.Bridge) ||
		!hasIPv6(p.Bridge, withoutAdverts) {
		return false
	}
	addrs, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(link, netlink.FAMILY_ALL) })
	return err == nil && slices.ContainsFunc(addrs, func(a netlink.Addr) bool { return a.IPNet.String() == p.gateway().String() })
}

// ownsPrivate reports whether a link is a private bridge of the data folder. Its
// name says of which network; the project's name in the alias may have changed.
func ownsPrivate(root string, link netlink.Link) bool {
	owner, private, ours := ownerOf(link.Attrs().Alias)
	return ours && private != "" && owner == root
}

// make creates or completes the bridge. The table comes before the address, so
// that nothing gets in at any moment. The host's lock must be held.
func (p private) make(root string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = p.Bridge
	// Its own, since a bridge else changes its address with the boxes in it.
	attrs.HardwareAddr, _ = net.ParseMAC(hardwareAddr("bridge " + p.Bridge))
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(bridge); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make bridge %s: %w", p.Bridge, err)
	}
	link, err := netlink.LinkByName(p.Bridge)
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", p.Bridge, err)
	}
	// One without an alias was made by a process that was killed at this line.
	if !ownsPrivate(root, link) && link.Attrs().Alias != "" {
		return fmt.Errorf("there is a link %s already, which is not of this network: remove it (ip link del %[1]s)", p.Bridge)
	}
	if err := netlink.LinkSetAlias(link, p.alias(root)); err != nil {
		return fmt.Errorf("mark bridge %s: %w", p.Bridge, err)
	}
	if err := firewall.MakePrivate(p.Bridge, p.Subnet, privateLinkPrefix); err != nil {
		return err
	}
	if err := setIPv6(p.Bridge, withoutAdverts); err != nil {
		return err
	}
	if err := p.setAddress(link); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", p.Bridge, err)
	}
	return nil
}

// setAddress gives the host its address in the network, instead of one that it
// had when the network had another subnet.
func (p private) setAddress(link netlink.Link) error {
	g := p.gateway()
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: g.Addr().AsSlice(), Mask: net.CIDRMask(g.Bits(), g.Addr().BitLen())}}
	if g.Addr().Is6() {
		// Nobody else has it, so it need not be asked around for first.
		addr.Flags = unix.IFA_F_NODAD
		off := "/proc/sys/net/ipv6/conf/" + p.Bridge + "/disable_ipv6"
		if err := os.WriteFile(off, []byte("0"), 0); err != nil {
			return fmt.Errorf("its subnet %s is IPv6, which this host's kernel does not do: give it an IPv4 subnet: %w", p.Subnet, err)
		}
	}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return fmt.Errorf("set address %s on %s: %w", g, p.Bridge, err)
	}
	all, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(link, netlink.FAMILY_ALL) })
	if err != nil {
		return fmt.Errorf("list the addresses of %s: %w", p.Bridge, err)
	}
	for _, old := range all {
		if old.IPNet.String() == g.String() || old.IP.IsLinkLocalUnicast() {
			continue
		}
		if err := netlink.AddrDel(link, &old); err != nil {
			return fmt.Errorf("remove address %s from %s: %w", old.IPNet, p.Bridge, err)
		}
	}
	return nil
}

// running returns the boxes in the network that run.
func (s store) running(bridge string) []string {
	all, err := s.records()
	if err != nil {
		return nil
	}
	var ids []string
	for _, r := range all {
		if !slices.ContainsFunc(r.NICs, func(n nic) bool { return n.Bridge == bridge }) {
			continue
		}
		if dirs, err := s.cgroups(r.ID, cgroup.Monitor(r.ID)); err != nil || len(dirs) > 0 {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// removeIdle removes the private bridges, but not the one named, that no box
// uses or is about to, and forgets the networks that no box has. The host's lock
// must be held, and the store's.
func (s store) removeIdle(but string) error {
	all, err := s.privates()
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range all {
		if p.Bridge != but {
			errs = append(errs, s.removePrivate(p))
		}
	}
	return errors.Join(append(errs, s.removeLocks(all))...)
}

// removeLocks removes the locks of networks that were never made.
func (s store) removeLocks(known []private) error {
	locks, err := filepath.Glob(s.privateFile("*", "lock"))
	if err != nil {
		return err
	}
	for _, l := range locks {
		if slices.ContainsFunc(known, func(p private) bool { return l == s.privateFile(p.Bridge, "lock") }) {
			continue
		}
		unlock, free, err := tryLock(l)
		if err != nil {
			return err
		}
		if free {
			err = os.Remove(l)
			unlock()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s store) removePrivate(p private) error {
	unlock, free, err := tryLock(s.privateFile(p.Bridge, "lock"))
	if err != nil || !free {
		return err
	}
	defer unlock()
	if len(s.running(p.Bridge)) > 0 {
		return nil
	}
	link, err := netlink.LinkByName(p.Bridge)
	if err == nil && ownsPrivate(s.root, link) {
		if err := removeBridge(link); err != nil {
			return err
		}
	}
	return s.forgetPrivate(p)
}

// forgetPrivate removes what is kept of a network that no box has, unless boxes
// made anew could not get the same addresses by choosing again.
func (s store) forgetPrivate(p private) error {
	if err := os.Remove(s.privateFile(p.Bridge, "lock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	all, err := s.records()
	if err != nil || p.Second || len(p.Addrs) > 0 {
		return err
	}
	for _, r := range all {
		if slices.ContainsFunc(r.NICs, func(n nic) bool { return n.Bridge == p.Bridge }) {
			return nil
		}
	}
	return os.Remove(s.privateFile(p.Bridge, "json"))
}

// leavePrivate removes the private bridges that no box uses any more. The
// store's lock must be held.
func (s store) leavePrivate() error {
	unlock, err := flock(hostLock)
	if err != nil {
		return err
	}
	defer unlock()
	return s.removeIdle("")
}
