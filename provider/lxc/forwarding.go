package lxc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
)

const (
	ipForward = "/proc/sys/net/ipv4/ip_forward"
	// forwardMark says that Berth has turned forwarding on. It is in /run, so it
	// goes with a reboot as the setting does.
	forwardMark = stage + "/ip_forward"
)

// enableForwarding lets the host route. The host's lock must be held.
func enableForwarding() error {
	b, err := os.ReadFile(ipForward)
	if err != nil {
		return fmt.Errorf("read whether the host routes: %w", err)
	}
	if strings.TrimSpace(string(b)) == "1" {
		return nil
	}
	if err := os.WriteFile(forwardMark, nil, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(ipForward, []byte("1"), 0); err != nil {
		return fmt.Errorf("let the host route (net.ipv4.ip_forward): %w", err)
	}
	return nil
}

// restoreForwarding turns routing off again if Berth turned it on and nobody
// else can need it: another bridge is a sign of Docker, libvirt or another of
// our networks, which may rely on it by now. The host's lock must be held.
func restoreForwarding() error {
	if _, err := os.Stat(forwardMark); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	links, err := dump(netlink.LinkList)
	if err != nil {
		return fmt.Errorf("list network links: %w", err)
	}
	for _, l := range links {
		if l.Type() == "bridge" {
			return nil
		}
	}
	if err := os.WriteFile(ipForward, []byte("0"), 0); err != nil {
		return fmt.Errorf("stop the host routing (net.ipv4.ip_forward): %w", err)
	}
	return os.Remove(forwardMark)
}
