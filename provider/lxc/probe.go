package lxc

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/firewall"
)

// probeAddr is where the probe goes: an address for documentation (RFC 5737), so
// nobody is there. It has no more than two hops to live.
var probeAddr = netip.MustParseAddr("203.0.113.1")

// probeTimeout is long for a packet that stays on this host.
const probeTimeout = 200 * time.Millisecond

// checkForwarding finds out, when there is such a chain, whether it lets the box
// out: by sending a packet from within the box's network namespace and looking
// whether it comes to the main bridge's last chain. It returns the warning.
func checkForwarding(ctx context.Context, n network, pid int) (warning string, err error) {
	all, err := firewall.Barriers(n.Bridge)
	if err != nil || len(all) == 0 || pid == 0 {
		return "", err
	}
	to := &unix.SockaddrInet4{Port: 9, Addr: probeAddr.As4()} // discard
	if routes, err := netlink.RouteGet(to.Addr[:]); err != nil || len(routes) == 0 {
		return "", nil // there is no way out to be barred
	}
	before, err := firewall.Leaving(n.Bridge)
	if err != nil {
		return "", err
	}
	if err := inNetwork(pid, func() error { return send(to) }); err != nil {
		return "", fmt.Errorf("try the box's network: %w", err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(probeTimeout); time.Now().Before(deadline); {
		now, err := firewall.Leaving(n.Bridge)
		if err != nil || now > before {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-tick.C:
		}
	}
	return fmt.Sprintf("it reaches nothing beyond this host: the firewall %s drops what it sends, "+
		"and no other table can overrule that. %s", all[0], all[0].Fix(n.Bridge)), nil
}

// send sends an empty packet.
func send(to *unix.SockaddrInet4) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, 2); err != nil {
		return err
	}
	return unix.Sendto(fd, nil, 0, to)
}
