package forward

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Rule is one forward. An end is "address:port" or the absolute path of a Unix
// socket.
type Rule struct {
	Name     string `json:"name"`
	Protocol string `json:"protocol"` // "tcp" or "udp"; sockets are "tcp"
	Reverse  bool   `json:"reverse,omitempty"`
	Auto     bool   `json:"auto,omitempty"` // found by itself
	// Guest is in the box. An empty address, ":80", is the box's own and then its
	// loopback.
	Guest string `json:"guest"`
	// Own says that the address of Guest is one of the box's that the host reaches.
	Own bool `json:"own,omitempty"`
	// Want is what was asked for on the host; port 0 is any of Range.
	Want string `json:"want"`
	// Host is what is used on the host. It is Want unless that has port 0 or has
	// been corrected.
	Host        string `json:"host"`
	AutoCorrect bool   `json:"auto_correct,omitempty"`
	Range       Range  `json:"range"`
}

// Range is the ports from which one is chosen, both included.
type Range struct {
	First int `json:"first"`
	Last  int `json:"last"`
}

// DefaultRange is used for ports that are forwarded by themselves.
var DefaultRange = Range{20000, 20999}

// same reports whether two rules ask for the same, whatever port they got.
func (r Rule) same(o Rule) bool {
	r.Host, o.Host = "", ""
	return r == o
}

// Same reports whether two sets of rules ask for the same.
func Same(a, b []Rule) bool { return slices.EqualFunc(a, b, Rule.same) }

// IsSocket reports whether the rule listens on a Unix socket of the host.
func (r Rule) IsSocket() bool { return !r.Reverse && isSocket(r.Want) }

// AnyPort reports whether the rule leaves the port of the host open.
func (r Rule) AnyPort() bool { return !r.Reverse && !isSocket(r.Want) && port(r.Want) == 0 }

// isSocket reports whether an end is a Unix socket.
func isSocket(end string) bool { return strings.HasPrefix(end, "/") }

// network is the network of a stream to an end.
func network(end string) string {
	if isSocket(end) {
		return "unix"
	}
	return "tcp"
}

// port returns the port of an end, 0 for a Unix socket.
func port(end string) int {
	if isSocket(end) {
		return 0
	}
	_, p, _ := net.SplitHostPort(end)
	n, _ := strconv.Atoi(p)
	return n
}

// family is a network with the family of an address: "tcp" alone would make
// 0.0.0.0 mean IPv6 as well.
func family(network string, ip netip.Addr) string {
	if ip.Unmap().Is4() {
		return network + "4"
	}
	return network + "6"
}

// GuestPort is a rule's port in the box, or its socket, for people.
func (r Rule) GuestPort() string {
	text := strings.TrimPrefix(r.Guest, ":")
	if r.Reverse {
		text = strings.TrimPrefix(text, "127.0.0.1:")
	}
	if r.Protocol == "udp" {
		text += "/udp"
	}
	return text
}
