package lxc

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// testUser is a user whose network a test makes; there need not be an account.
var testUser = UserNetwork{
	User: "anna", UID: 4711, Bridge: "berthu4711", Private: []string{"berthu4711p1", "berthu4711p2"},
	Subnet: netip.MustParsePrefix("10.179.7.0/24"),
}

// The host believes no router in a box, on no bridge of Berth's.
func TestRealRouterAdvertisements(t *testing.T) {
	if !ownNetworkWith(t) {
		return
	}
	world(t)
	p := Open(t.TempDir()).(*lxcProvider)
	if err := testUser.Make(); err != nil {
		t.Fatal(err)
	}
	main := network{Bridge: "berth7", Subnet: netip.MustParsePrefix("10.178.7.0/24")}
	if err := main.make(p.store.root); err != nil {
		t.Fatal(err)
	}
	four := private{Bridge: "berthn-4", Key: "k/four", Name: "four", Subnet: netip.MustParsePrefix("10.61.0.0/24")}
	six := private{Bridge: "berthn-6", Key: "k/six", Name: "six", Subnet: netip.MustParsePrefix("fd00:61::/64")}
	for _, n := range []private{four, six} {
		if err := n.make(p.store.root); err != nil {
			t.Fatal(err)
		}
		if !n.isUp(p.store.root) {
			t.Errorf("%s is not whole once it is made", n.Bridge)
		}
	}
	bridges := append(testUser.bridges(), main.Bridge, four.Bridge, six.Bridge)
	for _, bridge := range bridges {
		if advertise(t, bridge) {
			t.Errorf("the host takes a route from a box on %s", bridge)
		}
	}
	// As an older Berth left them, they do.
	for _, bridge := range bridges {
		for _, s := range []ipv6Setting{{"disable_ipv6", "0"}, {"accept_ra", "1"}, {"autoconf", "1"}} {
			if err := os.WriteFile(s.path(bridge), []byte(s.value), 0); err != nil {
				t.Fatal(err)
			}
		}
		if !eventually(func() bool { return advertise(t, bridge) }) {
			t.Errorf("with the kernel's defaults the host takes no route from a box on %s: the test proves nothing", bridge)
		}
	}
	healed(t, p, main, six)
	for _, bridge := range bridges {
		if bridge != four.Bridge && advertise(t, bridge) {
			t.Errorf("%s is not healed", bridge)
		}
	}
}

// healed looks whether bridges of an older Berth are noticed and mended.
func healed(t *testing.T, p *lxcProvider, main network, six private) {
	t.Helper()
	missing := testUser.Missing()
	for _, bridge := range testUser.bridges() {
		if !slices.Contains(missing, "bridge "+bridge+" without IPv6") {
			t.Errorf("setup does not notice that %s has IPv6: %q", bridge, missing)
		}
	}
	if err := testUser.Make(); err != nil {
		t.Fatal(err)
	}
	if missing := testUser.Missing(); len(missing) > 0 {
		t.Errorf("once all is made, there is missing: %q", missing)
	}
	if err := os.MkdirAll(p.store.root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(p.store.networkFile(), main); err != nil {
		t.Fatal(err)
	}
	if n, err := p.store.ensureNetwork(t.Context()); err != nil || n != main {
		t.Errorf("the running network is %v, %v", n, err)
	}
	if six.isUp(p.store.root) {
		t.Errorf("%s counts as whole though it takes router advertisements", six.Bridge)
	}
	if err := six.make(p.store.root); err != nil {
		t.Fatal(err)
	}
}

// advertise sends a router advertisement from a port of a bridge, and reports
// whether the host has a default route by it.
func advertise(t *testing.T, bridge string) bool {
	t.Helper()
	host(t, "ip link add ra0 type veth peer name ra1 netns $WORLD; ip link set ra0 master "+bridge+"; ip link set ra0 up\n"+
		"nsenter -t $WORLD -n sh -ec 'ip link set ra1 up; ip addr add fe80::99/64 dev ra1 nodad'")
	defer host(t, "ip link del ra0")
	eventually(func() bool { return host(t, "cat /sys/class/net/ra0/brport/state") == "3" }) // it forwards
	pid, _ := strconv.Atoi(os.Getenv("WORLD"))
	if err := inNetwork(pid, func() error { return sendAdvert("ra1") }); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if strings.Contains(host(t, "ip -6 route show dev "+bridge), "default via fe80::99") {
			host(t, "ip -6 route flush dev "+bridge+" default")
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// sendAdvert says to all on a link that this is a router, for half an hour.
func sendAdvert(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255), // others are not believed
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, link.Attrs().Index),
		unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, name))
	if err != nil {
		return err
	}
	advert := []byte{134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0}
	to := &unix.SockaddrInet6{ZoneId: uint32(link.Attrs().Index)}
	copy(to.Addr[:], net.IPv6linklocalallnodes)
	return unix.Sendto(fd, advert, 0, to)
}
