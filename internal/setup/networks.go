package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/berth-dev/berth/provider/lxc"
)

// networks sees to the user's bridges: that they are recorded, and there.
type networks struct{ h *host }

func (n networks) missing() ([]change, error) {
	u, ok, err := n.h.network()
	if err != nil {
		return nil, err
	}
	var all []change
	if !ok {
		others, err := lxc.UserNetworks(n.h.path(lxc.UserNetworksFile))
		if err != nil {
			return nil, err
		}
		if u, err = lxc.ChooseUserNetwork(n.h.user.name, n.h.user.uid, others); err != nil {
			return nil, err
		}
		text := fmt.Sprintf("give %s the network %s with the bridge %s, in %s", u.User, u.Subnet, u.Bridge, lxc.UserNetworksFile)
		all = append(all, change{text, func(context.Context) error {
			n.h.done.of(u.User)
			return errors.Join(n.h.done.save(), lxc.WriteUserNetworks(n.h.path(lxc.UserNetworksFile), append(others, u)))
		}})
	}
	if absent := u.Missing(); len(absent) > 0 {
		all = append(all, change{"make, for now: " + strings.Join(absent, ", "), func(context.Context) error { return u.Make() }})
	}
	return all, nil
}

func (n networks) undo() ([]change, error) {
	u, ok, err := n.h.network()
	if err != nil || !ok {
		return nil, err
	}
	text := fmt.Sprintf("remove the bridge %s, those of %s's private networks, and their firewall table", u.Bridge, u.User)
	return []change{{text, func(context.Context) error {
		all, err := lxc.UserNetworks(n.h.path(lxc.UserNetworksFile))
		if err != nil {
			return err
		}
		if err := u.Remove(); err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(o lxc.UserNetwork) bool { return o.UID == u.UID })
		if len(all) > 0 {
			return lxc.WriteUserNetworks(n.h.path(lxc.UserNetworksFile), all)
		}
		return os.Remove(n.h.path(lxc.UserNetworksFile))
	}}}, nil
}

// MakeNetworks makes what a boot has taken away: bridges, firewall tables and, on
// hosts with v1 controllers, the cgroups of all users. It is `berth setup
// network`, which the systemd unit calls.
func MakeNetworks() error {
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	all, err := lxc.UserNetworks(lxc.UserNetworksFile)
	if err != nil {
		return err
	}
	var errs []error
	for _, u := range all {
		errs = append(errs, u.Make())
		h, err := open(u.User)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		changes, err := cgroups{h}.missing()
		errs = append(errs, err)
		for _, c := range changes {
			errs = append(errs, c.make(context.Background()))
		}
	}
	return errors.Join(errs...)
}
