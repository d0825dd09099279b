package lxc

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"
)

// private is a private network of a project: a bridge without a way out, named
// after data folder, project and network. The bridge is there while boxes in it
// run; networks/BRIDGE.json is written before it is made. The file is removed
// once no box has the network, unless it holds what could not be chosen again:
// boxes that are made anew get the addresses that they had.
type private struct {
	Bridge  string       `json:"bridge"`
	Project string       `json:"project"` // name, for people
	Name    string       `json:"name"`
	Subnet  netip.Prefix `json:"subnet"`
	// Key is the network's name and its project's id, for a user's: its bridge has
	// no name of its own.
	Key string `json:"key,omitempty"`
	// Second is set when Subnet was chosen and is not the first choice.
	Second bool `json:"second,omitempty"`
	// Addrs are the addresses, by the boxes' names, of those for which the first
	// choice was taken.
	Addrs map[string]netip.Addr `json:"addrs,omitempty"`
}

// nic is a box's place in a private network.
type nic struct {
	Name   string       `json:"name"`   // of the network
	Bridge string       `json:"bridge"` // of the network; which network it is, for good
	IP     netip.Prefix `json:"ip"`     // the box's address with the prefix length
}

// privateBridge names the bridge of a network; 15 bytes, as IFNAMSIZ allows.
func privateBridge(root, projectID, name string) string {
	return "berthn-" + shortHash(root+"\x00"+projectID+"\x00"+name)
}

func (p private) alias(root string) string {
	return "berth-net:" + p.Project + "/" + p.Name + ":" + root
}

// gateway is the host's address in the network.
func (p private) gateway() netip.Prefix {
	return netip.PrefixFrom(p.Subnet.Addr().Next(), p.Subnet.Bits())
}

// usable reports whether a box may have the address.
func (p private) usable(a netip.Addr) bool {
	return p.Subnet.Contains(a) && a != p.Subnet.Addr() && a != p.gateway().Addr() && (a.Is6() || a != lastOf(p.Subnet))
}

// choices returns the network's addresses that may be chosen for a box, in the
// order in which they are tried. It depends on nothing but names, so that a box
// that is made anew, here or elsewhere, gets the address that it had.
func (p private) choices(box string) func(yield func(netip.Addr) bool) {
	bits := min(p.Subnet.Addr().BitLen()-p.Subnet.Bits(), 16)
	size := uint64(1) << bits
	start := hashOf("address", p.Name, box)
	return func(yield func(netip.Addr) bool) {
		for i := range size {
			if a := nth(p.Subnet, (start+i)%size); p.usable(a) && !yield(a) {
				return
			}
		}
	}
}

// nth returns the address with the number n, below 2^16, in a subnet.
func nth(subnet netip.Prefix, n uint64) netip.Addr {
	b := subnet.Addr().AsSlice()
	end := b[len(b)-2:]
	binary.BigEndian.PutUint16(end, binary.BigEndian.Uint16(end)|uint16(n))
	a, _ := netip.AddrFromSlice(b) // its length is that of an address
	return a
}

// subnetChoices returns the subnets that may be chosen for a network, in the
// order in which they are tried: places of 10/8 that few others use and the main
// bridge does not, then some of 172.16/12 and 192.168/16 for when a company's VPN
// has all of 10/8.
func subnetChoices(projectID, name string) func(yield func(netip.Prefix) bool) {
	start := hashOf("subnet", projectID, name)
	return func(yield func(netip.Prefix) bool) {
		for _, pool := range []string{"10.184.0.0/14", "172.29.0.0/16", "192.168.128.0/17"} {
			p := netip.MustParsePrefix(pool)
			first := p.Addr().As4()
			base, size := binary.BigEndian.Uint32(first[:]), uint64(1)<<(24-p.Bits())
			for i := range size {
				var a [4]byte
				binary.BigEndian.PutUint32(a[:], base+uint32((start+i)%size)<<8)
				if !yield(netip.PrefixFrom(netip.AddrFrom4(a), 24)) {
					return
				}
			}
		}
	}
}

func hashOf(parts ...string) uint64 {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return binary.BigEndian.Uint64(sum[:8])
}

// loadPrivate returns the network of a bridge, or false when there is none.
func (s store) loadPrivate(bridge string) (private, bool, error) {
	var p private
	err := readRecord(s.privateFile(bridge, "json"), &p)
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	return p, err == nil, err
}

// privates returns all private networks of the data folder.
func (s store) privates() ([]private, error) {
	files, err := filepath.Glob(s.privateFile("*", "json"))
	if err != nil {
		return nil, err
	}
	var all []private
	for _, f := range files {
		p, known, err := s.loadPrivate(strings.TrimSuffix(filepath.Base(f), ".json"))
		if err != nil {
			return nil, err
		}
		if known {
			all = append(all, p)
		}
	}
	return all, nil
}

func (s store) privateFile(bridge, kind string) string {
	return filepath.Join(s.root, "networks", bridge+"."+kind)
}
