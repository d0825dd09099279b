package lxc

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inNetwork calls f on a thread in the network namespace of a process. f must
// not start goroutines that need to be there too.
func inNetwork(pid int, f func() error) error {
	ns, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net")
	if err != nil {
		return err
	}
	defer ns.Close()
	return onOwnThread(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
}

// useAddresses makes the box's IPv6 addresses usable at once. For a second the
// kernel would ask whether somebody else has them, which nobody has, and
// services that listen on them could not start meanwhile.
func (r record) useAddresses(pid int) error {
	for i, n := range r.NICs {
		if !n.IP.Addr().Is6() {
			continue
		}
		err := inNetwork(pid, func() error {
			link, err := netlink.LinkByName(nicName(i))
			if err != nil {
				return err
			}
			addr := &netlink.Addr{IPNet: &net.IPNet{IP: n.IP.Addr().AsSlice(), Mask: net.CIDRMask(n.IP.Bits(), 128)}}
			if err := netlink.AddrDel(link, addr); err != nil {
				return err
			}
			addr.Flags = unix.IFA_F_NODAD
			return netlink.AddrAdd(link, addr)
		})
		if err != nil {
			return fmt.Errorf("set the address %s of box %s: %w", n.IP, r.ID, err)
		}
	}
	return nil
}
