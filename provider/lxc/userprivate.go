package lxc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/berth-dev/berth/provider"
)

// Private networks of a user's boxes. A user may make no bridge, so setup has made
// a few; a network has one of them while a box is in it. The host has no address
// there: boxes reach each other, and the host reaches them on the main bridge.

// join finds a bridge for each private network.
func (m userMode) join(s store, r *record, spec provider.Spec) (func(), error) {
	done := func() {} // the store's lock is held until the record is written
	if len(spec.Networks) == 0 {
		r.NICs = nil
		return done, nil
	}
	u, err := m.own()
	if err != nil {
		return nil, err
	}
	var nics []nic
	for _, want := range spec.Networks {
		n, err := joinUserNetwork(s, u, *r, spec, want, nics)
		if err != nil {
			return nil, ofNetwork(want.Name, r.ID, err)
		}
		nics = append(nics, n)
	}
	r.NICs = nics
	return done, nil
}

// joinUserNetwork gives a box its place in one network; others are its places that
// are not in its record yet.
func joinUserNetwork(s store, u UserNetwork, r record, spec provider.Spec, want provider.Network, others []nic) (nic, error) {
	p, err := s.userPrivate(u, spec.ProjectID+"/"+want.Name, others)
	if err != nil {
		return nic{}, err
	}
	p.Project, p.Name = spec.Project, want.Name
	given, err := subnetOf(want)
	if err != nil {
		return nic{}, err
	}
	switch {
	case given.IsValid() && given != p.Subnet:
		if users := s.usersOf(p.Bridge, r.ID); p.Subnet.IsValid() && len(users) > 0 {
			return nic{}, conflictf("it is %s for box %s and is to be %s now: destroy that box, or halt it and bring it up again first", p.Subnet, users[0], given)
		}
		p.Subnet = given
	case !p.Subnet.IsValid():
		routes, err := hostRoutes(p.Bridge, false)
		if err != nil {
			return nic{}, err
		}
		if err := s.chooseSubnet(&p, spec.ProjectID, routes); err != nil {
			return nic{}, err
		}
	}
	addr, err := s.findAddress(&p, r, want)
	if err != nil {
		return nic{}, err
	}
	return nic{Name: want.Name, Bridge: p.Bridge, IP: addr}, writeJSON(s.privateFile(p.Bridge, "json"), p)
}

// userPrivate returns what is known of a network, with the bridge that it has or
// one that no network with boxes has, nor any of others.
func (s store) userPrivate(u UserNetwork, key string, others []nic) (private, error) {
	free := ""
	var taken []string
	for _, bridge := range u.Private {
		p, known, err := s.loadPrivate(bridge)
		if err != nil {
			return p, err
		}
		if known && p.Key == key {
			return p, nil
		}
		held := slices.ContainsFunc(others, func(n nic) bool { return n.Bridge == bridge })
		if !held && (!known || len(s.usersOf(bridge, "")) == 0) {
			if free == "" {
				free = bridge
			}
			continue
		}
		taken = append(taken, fmt.Sprintf("%q of project %q", p.Name, p.Project))
	}
	if free == "" {
		return private{}, fmt.Errorf("all %d bridges for private networks that you have on this host are in use, for %v: "+
			"destroy boxes that are in them", len(u.Private), taken)
	}
	return private{Bridge: free, Key: key}, nil
}

// usersOf returns the boxes, but not the one named, that have a place on a bridge.
func (s store) usersOf(bridge, but string) []string {
	all, err := s.records()
	if err != nil {
		return nil
	}
	var ids []string
	for _, r := range all {
		if r.ID != but && slices.ContainsFunc(r.NICs, func(n nic) bool { return n.Bridge == bridge }) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// leave forgets networks that no box has.
func (m userMode) leave(s store) error {
	all, err := s.privates()
	errs := []error{err}
	for _, p := range all {
		if len(s.usersOf(p.Bridge, "")) > 0 {
			continue
		}
		if err := os.Remove(s.privateFile(p.Bridge, "json")); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
