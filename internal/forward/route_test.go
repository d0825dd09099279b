package forward

import (
	"net"
	"testing"

	"github.com/berth-dev/berth/internal/guest"
)

// The host connects by itself to nothing but the box's own addresses: what another
// address of the box is to the host is the host's own affair, or its network's.
func TestReach(t *testing.T) {
	l := newLink(guest.Target{Addr: "203.0.113.9:22"}, 0, nil)
	conn := must(net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	defer conn.Close()
	for _, c := range []struct {
		ip   string
		own  bool
		want string
	}{
		{"", false, "203.0.113.9"},
		{"203.0.113.9", false, "203.0.113.9"},
		{"10.60.0.10", true, "10.60.0.10"},
		{"10.60.0.10", false, ""},
		{"192.168.1.1", false, ""},
		{"0.0.0.0", false, ""},
		{"::", false, ""},
		{"127.0.0.1", true, ""},
		{"::ffff:127.0.0.1", false, ""},
		{"::1", false, ""},
	} {
		got, ok := l.reach(c.ip, c.own)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%q, own %v: %q, %v", c.ip, c.own, got, ok)
		}
		p := newPackets(l, Rule{Guest: net.JoinHostPort(c.ip, "9"), Own: c.own}, conn)
		out := p.client(conn.LocalAddr().(*net.UDPAddr).AddrPort())
		if (out != nil) != ok {
			t.Errorf("%q, own %v: packets leave the host: %v", c.ip, c.own, out != nil)
		}
		if out != nil {
			out.Close()
		}
	}
}
