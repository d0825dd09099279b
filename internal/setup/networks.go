package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/berth-dev/berth/provider/lxc"
	"github.com/berth-dev/berth/provider/lxc/account"
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
		if i := slices.IndexFunc(others, func(o lxc.UserNetwork) bool { return o.UID == n.h.user.uid }); i >= 0 {
			return nil, fmt.Errorf("give %s a network: %s had the same number, %d, and has one still: take that back first: sudo berth setup --user %[2]s --undo",
				n.h.user.name, others[i].User, n.h.user.uid)
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
	all = append(all, n.unreadable()...)
	if absent := u.Missing(); len(absent) > 0 {
		all = append(all, change{"make, for now: " + strings.Join(absent, ", "), func(context.Context) error { return u.Make() }})
	}
	return all, nil
}

// unreadable sees to it that users can read which network they have: an older
// Berth's setup left that to root's umask.
func (n networks) unreadable() []change {
	var all []change
	for _, f := range []struct {
		name string
		mode fs.FileMode
	}{{filepath.Dir(lxc.UserNetworksFile), 0o755}, {lxc.UserNetworksFile, 0o644}} {
		st, err := os.Stat(n.h.path(f.name))
		if err != nil || st.Mode().Perm()&f.mode == f.mode {
			continue
		}
		all = append(all, change{"let everybody read " + f.name, func(context.Context) error {
			return os.Chmod(n.h.path(f.name), st.Mode().Perm()|f.mode)
		}})
	}
	return all
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
// network`, which the systemd unit calls. Users that are not known do not fail it:
// warn takes a line for each.
func MakeNetworks(warn io.Writer) error {
	unlock, err := begin()
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
		// Also for a user that is not known: early in the boot a directory service
		// may not answer yet, and the network needs no account.
		errs = append(errs, u.Make(), makeCgroups(u, warn))
	}
	return errors.Join(errs...)
}

// makeCgroups makes the cgroups of a user, who may not be known.
func makeCgroups(u lxc.UserNetwork, warn io.Writer) error {
	p, err := find(u.User)
	if errors.Is(err, account.ErrUnknown) {
		fmt.Fprintf(warn, "%v: if there is no such user any more, take back what setup has changed: sudo berth setup --user %s --undo\n", err, u.User)
		return nil
	}
	if err != nil {
		return err
	}
	changes, err := cgroups{&host{user: p}}.missing()
	errs := []error{err}
	for _, c := range changes {
		errs = append(errs, c.make(context.Background()))
	}
	return errors.Join(errs...)
}
