package lxc

import (
	"net/netip"
	"os"
	"strconv"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// taggedFrame is an empty UDP packet from a box to 10.60.0.10, in two VLAN tags of
// VLAN 0, which the kernel takes off without being asked.
func taggedFrame(to []byte) []byte {
	frame := append(append([]byte{}, to...), 2, 0, 0, 0, 0, 9)
	frame = append(frame, 0x81, 0, 0, 0, 0x81, 0, 0, 0, 0x08, 0)
	ip := []byte{0x45, 0, 0, 33, 0, 1, 0, 0, 9, 17, 0, 0, 10, 178, 7, 2, 10, 60, 0, 10}
	sum := uint32(0)
	for i := 0; i < len(ip); i += 2 {
		sum += uint32(ip[i])<<8 | uint32(ip[i+1])
	}
	sum = sum&0xffff + sum>>16
	ip[10], ip[11] = ^byte(sum>>8), ^byte(sum)
	udp := []byte{0x27, 0x0f, 0x27, 0x0f, 0, 13, 0, 0}
	return append(append(append(frame, ip...), udp...), "hello"...)
}

// Tags do not hide a packet from the tables of root's private networks.
func TestRealTaggedFrames(t *testing.T) {
	if !ownNetworkWith(t) {
		return
	}
	root := t.TempDir()
	main := network{Bridge: "berthu4711", Subnet: netip.MustParsePrefix("10.179.7.0/24")} // as neighbours has it
	if err := main.make(root); err != nil {
		t.Fatal(err)
	}
	n := private{Bridge: "berthu4711p1", Key: "k/four", Name: "four", Subnet: netip.MustParsePrefix("10.60.0.0/24")}
	if err := n.make(root); err != nil {
		t.Fatal(err)
	}
	neighbours(t)
	pid := func(name string) int { n, _ := strconv.Atoi(os.Getenv(name)); return n }
	var in int
	var mac []byte
	err := inNetwork(pid("DB"), func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		mac = link.Attrs().HardwareAddr
		in, err = udpSocket()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(in)
	arrives := func() bool {
		err := inNetwork(pid("EVIL"), func() error {
			link, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Sendto(fd, taggedFrame(mac), 0, &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index})
		})
		if err != nil {
			t.Fatal(err)
		}
		n, _, err := unix.Recvfrom(in, make([]byte, 16), 0)
		return err == nil && n == 5
	}
	if arrives() {
		t.Error("a packet in two tags gets into a private network by way of the main bridge")
	}
	host(t, "nft delete table bridge berth-berthu4711p1")
	if !arrives() {
		t.Error("it does not arrive without the table either: the test proves nothing")
	}
}
