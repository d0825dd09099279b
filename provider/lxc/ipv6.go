package lxc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// What the host does with IPv6 on bridges. The kernel's defaults are those of a
// link to a router: it takes addresses, routes and name servers from whoever sends
// a router advertisement (RFC 4861), and a box can send one.

// ipv6Setting is a sysctl of a link, below net.ipv6.conf.
type ipv6Setting struct{ name, value string }

var (
	// withoutIPv6 is for bridges that are IPv4 only, or where the host has no
	// address at all.
	withoutIPv6 = []ipv6Setting{{"disable_ipv6", "1"}}
	// withoutAdverts is for bridges where the host may have an address of IPv6.
	withoutAdverts = []ipv6Setting{{"accept_ra", "0"}, {"autoconf", "0"}, {"accept_redirects", "0"}}
)

func (s ipv6Setting) path(link string) string {
	return filepath.Join("/proc/sys/net/ipv6/conf", link, s.name)
}

// is reports whether a link has the setting; where the kernel has no IPv6, all
// have.
func (s ipv6Setting) is(link string) bool {
	b, err := os.ReadFile(s.path(link))
	return errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(b)) == s.value
}

// hasIPv6 reports whether a link has all the settings.
func hasIPv6(link string, all []ipv6Setting) bool {
	for _, s := range all {
		if !s.is(link) {
			return false
		}
	}
	return true
}

// setIPv6 makes the settings that a link has not. On a new one it must come before
// the link is up.
func setIPv6(link string, all []ipv6Setting) error {
	for _, s := range all {
		if s.is(link) {
			continue
		}
		if err := os.WriteFile(s.path(link), []byte(s.value), 0); err != nil {
			return fmt.Errorf("keep boxes on %s from changing the host's routes (sysctl net.ipv6.conf.%[1]s.%s=%s): %w", link, s.name, s.value, err)
		}
	}
	return nil
}
