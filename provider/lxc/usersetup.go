package lxc

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/vishvananda/netlink"

	"github.com/berth-dev/berth/provider/lxc/firewall"
)

// What root makes for users, once and after every boot, is made here, where it is
// known how it is used; package setup says when.

// privateBridges is how many private networks a user can have at the same time.
const privateBridges = 4

// userSubnetBits makes a network of 253 boxes.
const userSubnetBits = 24

// WriteUserNetworks replaces the file. Everybody may read it: it says no more than
// `ip addr` does.
func WriteUserNetworks(path string, all []UserNetwork) error {
	b, err := jsonOf(map[string]any{"networks": all})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, b, 0o644)
}

// ChooseUserNetwork returns a network for a user that has none: it hits no route
// of the host and none of the others.
func ChooseUserNetwork(name string, uid int, others []UserNetwork) (UserNetwork, error) {
	u := UserNetwork{User: name, UID: uid, Bridge: userBridge(uid)}
	for i := range privateBridges {
		u.Private = append(u.Private, u.Bridge+"p"+strconv.Itoa(i+1))
	}
	routes, err := hostRoutes(u.Bridge, false)
	if err != nil {
		return u, err
	}
	for _, o := range others {
		routes = append(routes, route{dst: o.Subnet, via: o.Bridge})
	}
	for c := range 256 {
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 179, byte(c), 0}), userSubnetBits)
		if _, hit := hits(subnet, routes); !hit {
			u.Subnet = subnet
			return u, nil
		}
	}
	u.Subnet, err = chooseSubnet(netip.Prefix{}, routes)
	return u, err
}

// userBridge names a user's bridge, in a way that leaves two bytes of the 15 that
// IFNAMSIZ allows.
func userBridge(uid int) string {
	const longest = 13
	if name := "berthu" + strconv.Itoa(uid); len(name) <= longest {
		return name
	}
	return ("berthu" + shortHash(strconv.Itoa(uid)))[:longest]
}

// userAlias marks the bridges of a user.
func userAlias(user string) string { return "berth-user:" + user }

// Missing says what of the network is not there.
func (u UserNetwork) Missing() []string {
	var missing []string
	for _, name := range u.bridges() {
		link, err := netlink.LinkByName(name)
		switch {
		case err != nil:
			missing = append(missing, "bridge "+name)
		case link.Attrs().Flags&net.FlagUp == 0:
			missing = append(missing, "bridge "+name+" (it is down)")
		case !hasIPv6(name, withoutIPv6):
			missing = append(missing, "bridge "+name+" without IPv6")
		}
	}
	if !firewall.HasUser(u.Bridge) {
		missing = append(missing, "firewall tables "+firewall.TableName(u.Bridge))
	}
	for _, name := range u.bridges() {
		// One that cannot be read is not repaired by another try either.
		if through, err := firewall.LetsThrough(name, name != u.Bridge); err == nil && !through {
			missing = append(missing, "a rule for "+name+" in iptables' chain FORWARD")
		}
	}
	if b, err := os.ReadFile(ipForward); err != nil || strings.TrimSpace(string(b)) != "1" {
		missing = append(missing, "forwarding")
	}
	if _, err := os.Stat(stage); err != nil {
		missing = append(missing, stage)
	}
	return missing
}

func (u UserNetwork) bridges() []string { return append([]string{u.Bridge}, u.Private...) }

// Make makes what is missing.
func (u UserNetwork) Make() error {
	if err := os.MkdirAll(stage, 0o700); err != nil {
		return err
	}
	unlock, err := flock(hostLock)
	if err != nil {
		return err
	}
	defer unlock()
	for _, name := range u.bridges() {
		if err := u.makeBridge(name); err != nil {
			return err
		}
	}
	if err := firewall.MakeUser(u.Bridge, u.Subnet, u.Private); err != nil {
		return err
	}
	for _, name := range u.bridges() {
		if err := firewall.LetThrough(name, name != u.Bridge); err != nil {
			return err
		}
	}
	return enableForwarding()
}

// makeBridge makes one of the user's bridges, which all are without IPv6. On the
// private ones the host has no address at all.
func (u UserNetwork) makeBridge(name string) error {
	link, err := makeBridge(name, userAlias(u.User))
	if err != nil {
		return err
	}
	if err := setIPv6(name, withoutIPv6); err != nil {
		return err
	}
	if name == u.Bridge {
		n := network{Bridge: u.Bridge, Subnet: u.Subnet}
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: n.gateway().AsSlice(), Mask: net.CIDRMask(u.Subnet.Bits(), 32)}}
		if err := netlink.AddrReplace(link, addr); err != nil {
			return fmt.Errorf("set address %s on %s: %w", addr, u.Bridge, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// makeBridge returns the bridge of that name, made if need be.
func makeBridge(name, alias string) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	// Its own, since a bridge else changes its address with the boxes in it.
	attrs.HardwareAddr, _ = net.ParseMAC(hardwareAddr("bridge " + name))
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make bridge %s: %w", name, err)
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find bridge %s: %w", name, err)
	}
	if has := link.Attrs().Alias; has != alias && has != "" || link.Type() != "bridge" {
		return nil, fmt.Errorf("there is a link %s already, which is not of this user's boxes: remove it (ip link del %[1]s)", name)
	}
	if err := netlink.LinkSetAlias(link, alias); err != nil {
		return nil, fmt.Errorf("mark bridge %s: %w", name, err)
	}
	return link, nil
}

// InUse returns the user's bridges that have something connected.
func (u UserNetwork) InUse() ([]string, error) {
	links, err := dump(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list network links: %w", err)
	}
	names := map[int]string{}
	for _, l := range links {
		if slices.Contains(u.bridges(), l.Attrs().Name) {
			names[l.Attrs().Index] = l.Attrs().Name
		}
	}
	var used []string
	for _, l := range links {
		if name := names[l.Attrs().MasterIndex]; name != "" && !slices.Contains(used, name) {
			used = append(used, name)
		}
	}
	return used, nil
}

// Remove removes bridges and firewall table.
func (u UserNetwork) Remove() error {
	unlock, err := flock(hostLock)
	if err != nil {
		return err
	}
	defer unlock()
	var errs []error
	for _, name := range slices.Backward(u.bridges()) { // forwarding is looked at after the last
		link, err := netlink.LinkByName(name)
		if err == nil && link.Attrs().Alias == userAlias(u.User) {
			errs = append(errs, removeBridge(link))
		}
	}
	return errors.Join(append(errs, firewall.Remove(u.Bridge))...)
}
