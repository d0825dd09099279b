package lxc

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// neighbours makes two network namespaces that stand for boxes of one user, with
// no rules of their own: evil is on the main bridge only, db in a private network
// too. $EVIL and $DB are their processes.
func neighbours(t *testing.T) {
	t.Helper()
	t.Setenv("HOST", itoa(os.Getpid()))
	for _, name := range []string{"EVIL", "DB"} {
		cmd := exec.Command("sleep", "300")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		t.Setenv(name, itoa(cmd.Process.Pid))
	}
	host(t, `
plug() { # PID BRIDGE PORT NAME ADDRESS...
	ip link add $3 type veth peer name $4 netns $1
	ip link set $3 master $2
	ip link set $3 up
	nsenter -t $1 -n ip link set $4 up
	pid=$1 name=$4
	shift 4
	for a; do nsenter -t $pid -n ip addr add $a dev $name nodad; done
}
plug $EVIL berthu4711 veth4711_a eth0 10.179.7.2/24 fe80::2/64
plug $DB berthu4711 veth4711_b eth0 10.179.7.3/24 fe80::3/64
plug $DB berthu4711p1 veth4711_c net0 10.60.0.10/24 fd00:60::10/64`)
}

// arrives reports whether a packet that a process's network namespace sends to an
// address comes to another's. Setting up the way to it must go well.
func arrives(t *testing.T, from, at, to, way string) bool {
	t.Helper()
	pid := func(name string) int { n, _ := strconv.Atoi(os.Getenv(name)); return n }
	var in, out int
	err := inNetwork(pid(at), func() (err error) { in, err = udpSocket(); return err })
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(in)
	host(t, "exec nsenter -t $"+from+" -n sh -ec '"+way+"'")
	addr := netip.MustParseAddr(to)
	dest := &unix.SockaddrInet6{Port: 9999, Addr: addr.As16()}
	err = inNetwork(pid(from), func() (err error) {
		if addr.Zone() != "" {
			link, err := netlink.LinkByName(addr.Zone())
			if err != nil {
				return err
			}
			dest.ZoneId = uint32(link.Attrs().Index)
		}
		out, err = udpSocket()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(out)
	for range 3 { // the receiver may have to be asked for first
		_ = unix.Sendto(out, []byte("hello"), 0, dest)
		if n, _, err := unix.Recvfrom(in, make([]byte, 16), 0); err == nil && n == 5 {
			return true
		}
	}
	return false
}

// udpSocket takes and sends IPv4 and IPv6, and waits no longer than a moment.
func udpSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fd, err
	}
	return fd, errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 200_000}),
		unix.Bind(fd, &unix.SockaddrInet6{Port: 9999}))
}

// toPrivate are the ways from evil to db's address in a private network: the
// address, and what makes the way.
var toPrivate = map[string][2]string{
	"its main address":       {"10.60.0.10", "ip route replace 10.60.0.10 via 10.179.7.3"},
	"its link-local address": {"fd00:60::10", "ip -6 route replace fd00:60::10 via fe80::3 dev eth0"},
	"a broadcast frame": {"10.60.0.10", "ip route replace 10.60.0.10 dev eth0; " +
		"ip neigh replace 10.60.0.10 lladdr ff:ff:ff:ff:ff:ff dev eth0"},
}

// waysIn tries all ways and returns those that lead there.
func waysIn(t *testing.T) []string {
	t.Helper()
	var reached []string
	for by, way := range toPrivate {
		if arrives(t, "EVIL", "DB", way[0], way[1]) {
			reached = append(reached, by)
		}
		host(t, "nsenter -t $EVIL -n sh -c 'ip route del 10.60.0.10; ip neigh flush dev eth0; ip -6 route del fd00:60::10' 2>/dev/null || true")
	}
	slices.Sort(reached)
	return reached
}

// What goes from box to box by a user's main bridge is for the main network, however
// it is addressed: the host sees to it, whatever the boxes do.
func TestRealUserMainPorts(t *testing.T) {
	if !ownNetworkWith(t) {
		return
	}
	if err := testUser.Make(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(host(t, "nft list table bridge berth-berthu4711"), "drop") {
		t.Skip("this kernel has no NFT_BRIDGE_META: only the boxes' own tables do it here")
	}
	neighbours(t)
	for _, to := range []string{"10.179.7.3", "10.179.7.255", "255.255.255.255"} {
		if !arrives(t, "EVIL", "DB", to, "ip route replace 255.255.255.255 dev eth0") {
			t.Errorf("on the main bridge boxes do not reach %s", to)
		}
	}
	if !arrives(t, "EVIL", "HOST", "10.179.7.1", "true") {
		t.Error("boxes do not reach the host")
	}
	if reached := waysIn(t); len(reached) > 0 || arrives(t, "EVIL", "DB", "fe80::3%eth0", "true") {
		t.Errorf("db is reached by %v, or by IPv6", reached)
	}
	host(t, "nft delete table bridge berth-berthu4711")
	if reached := waysIn(t); len(reached) != len(toPrivate) {
		t.Errorf("without the table db is reached by no more than %v: the test proves nothing", reached)
	}
}

// A box's own table does the same, where the host's kernel cannot; the private
// bridges are no business of either.
func TestRealUserInBoxTable(t *testing.T) {
	if !ownNetworkWith(t) {
		return
	}
	if err := testUser.Make(); err != nil {
		t.Fatal(err)
	}
	neighbours(t)
	db, _ := strconv.Atoi(os.Getenv("DB"))
	links := []userLink{{Name: "eth0"}, {Name: "net0", Addr: netip.MustParsePrefix("10.60.0.10/24")}, {Name: "net0", Addr: netip.MustParsePrefix("fd00:60::10/64")}}
	if err := inNetwork(db, func() error { return keepApart(links) }); err != nil {
		t.Fatal(err)
	}
	host(t, `nft 'add table bridge berth-berthu4711; delete table bridge berth-berthu4711'`)
	if reached := waysIn(t); len(reached) > 0 || !arrives(t, "EVIL", "DB", "10.179.7.3", "true") {
		t.Errorf("db is reached by %v, or not by its main address", reached)
	}
	host(t, "nsenter -t $DB -n nft delete table inet berth")
	if reached := waysIn(t); len(reached) != len(toPrivate) {
		t.Errorf("without the table db is reached by no more than %v: the test proves nothing", reached)
	}
	if err := errors.Join(testUser.Make(), inNetwork(db, func() error { return keepApart(links) })); err != nil {
		t.Fatal(err)
	}
	host(t, `
ip link add veth4711_d type veth peer name net0 netns $EVIL
ip link set veth4711_d master berthu4711p1
ip link set veth4711_d up
nsenter -t $EVIL -n sh -ec 'ip link set net0 up; ip addr add 10.60.0.11/24 dev net0; ip addr add fd00:60::11/64 dev net0 nodad'`)
	for _, to := range []string{"10.60.0.10", "fd00:60::10"} {
		if !arrives(t, "EVIL", "DB", to, "true") {
			t.Errorf("%s is not reached in the private network", to)
		}
	}
}
