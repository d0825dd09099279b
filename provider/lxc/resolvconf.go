package lxc

import (
	"errors"
	"net/netip"
	"os"
	"strings"

	"github.com/berth-dev/berth/provider"
)

// nameservers returns what the box's resolv.conf names: the wanted ones, else
// the host's. Addresses on the host's loopback cannot be reached from a box;
// systemd-resolved and NetworkManager keep the real ones in other files.
func nameservers(wanted []string) (servers, search []string, err error) {
	if len(wanted) > 0 {
		return wanted, nil, nil
	}
	for _, path := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf"} {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if servers, search = parseResolvConf(string(b)); len(servers) > 0 {
			return servers, search, nil
		}
	}
	return nil, nil, &provider.ArgError{Arg: "nameservers", Err: errors.New(
		"the host's name servers are on its loopback interface, where boxes cannot reach them: " +
			`name others, such as provider "lxc" { nameservers = ["192.0.2.53"] }`)}
}

// parseResolvConf returns the name servers that a box can reach, and the search
// domains (resolv.conf(5)).
func parseResolvConf(text string) (servers, search []string) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			a, err := netip.ParseAddr(fields[1])
			if err == nil && !a.IsLoopback() && !a.IsLinkLocalUnicast() && a.Is4() {
				servers = append(servers, fields[1])
			}
		case "search", "domain":
			search = fields[1:]
		}
	}
	return servers, search
}
