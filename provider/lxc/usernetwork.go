package lxc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
)

// UserNetworksFile holds the networks that setup has made for users' boxes.
const UserNetworksFile = "/etc/berth/networks.json"

// UserNetwork is the bridge of one user's boxes. Each user has its own, so that
// users neither meet in one nor need to agree about addresses.
type UserNetwork struct {
	User   string       `json:"user"` // name, for people
	UID    int          `json:"uid"`
	Bridge string       `json:"bridge"`
	Subnet netip.Prefix `json:"subnet"`
	// Private are bridges without a way out, for the private networks of the
	// user's projects.
	Private []string `json:"private,omitempty"`
}

const fixNetwork = "\nMake it again: sudo berth setup network"

// UserNetworks reads the file. It need not exist.
func UserNetworks(path string) ([]UserNetwork, error) {
	var f struct {
		Networks []UserNetwork `json:"networks"`
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		return nil, fmt.Errorf("read the networks of users' boxes: %w", err)
	}
	return f.Networks, nil
}

// network returns the network that setup has made for this user.
func (m userMode) network(context.Context, store) (network, error) {
	u, err := m.own()
	if err != nil {
		return network{}, err
	}
	if _, err := netlink.LinkByName(u.Bridge); err != nil {
		return network{}, fmt.Errorf("the bridge %s of your boxes is not there: %w%s", u.Bridge, err, fixNetwork)
	}
	return network{Bridge: u.Bridge, Subnet: u.Subnet}, nil
}

func (m userMode) own() (UserNetwork, error) {
	all, err := UserNetworks(UserNetworksFile)
	if err != nil {
		return UserNetwork{}, err
	}
	i := slices.IndexFunc(all, func(u UserNetwork) bool { return u.UID == m.uid })
	if i < 0 {
		return UserNetwork{}, errors.New("your boxes have no network on this host" + fixSetup)
	}
	return all[i], nil
}

// release: the bridge is there for the user's next box. What LXC's tools leave
// behind goes with the last.
func (userMode) release(s store) error {
	left, err := s.records()
	if err != nil || len(left) > 0 {
		return err
	}
	return os.RemoveAll(s.runtime())
}

// userLinks are the network devices of a box.
func userLinks(r record, n network) []userLink {
	links := []userLink{{
		Bridge: n.Bridge, Name: "eth0", MAC: hardwareAddr(r.ID),
		Addr: netip.PrefixFrom(r.Addr, n.Subnet.Bits()), Gateway: n.gateway(),
	}}
	for i, nic := range r.NICs {
		links = append(links, userLink{Bridge: nic.Bridge, Name: nicName(i), MAC: hardwareAddr(r.ID + "/" + nic.Name), Addr: nic.IP})
	}
	return links
}
