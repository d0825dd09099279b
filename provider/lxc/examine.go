package lxc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/account"
	"github.com/berth-dev/berth/provider/lxc/firewall"
	"github.com/berth-dev/berth/provider/lxc/hostcheck"
)

// Examine looks at the host for `berth doctor`.
func (p *lxcProvider) Examine(ctx context.Context) ([]provider.Hop, error) {
	return hostcheck.Examine(ctx, p.env())
}

// env is what the checks look at. A user's boxes are made by a plugin that is root
// in the user's namespace; who that is outside decides.
func (p *lxcProvider) env() hostcheck.Env {
	uid := os.Geteuid()
	if user, inside := p.mode.(userMode); inside {
		uid = user.uid
	}
	name := strconv.Itoa(uid)
	if u, err := account.ByID(uid); err == nil {
		name = u.Name
	}
	return hostcheck.Env{Host: checkedHost{p: p}, UID: uid, User: name, DataDir: p.store.root}
}

// checkedHost is this host as the checks see it.
type checkedHost struct {
	hostcheck.System
	p *lxcProvider
}

// MapIDs does to a clone of the folder's mount what a start does, and mounts it
// nowhere.
func (checkedHost) MapIDs(ctx context.Context, dir string) error {
	for { // it need not exist yet
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		dir = filepath.Dir(dir)
	}
	userns, err := userNamespace(ctx, boxIDs(firstIDBase), boxIDs(firstIDBase))
	if err != nil {
		return err
	}
	defer userns.Close()
	fd, err := cloneMapped(dir, userns, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// Unprepared says what of `berth setup` is missing for a user.
func (h checkedHost) Unprepared(ctx context.Context) []string { return h.p.mode.check(ctx, h.p.store) }

func (checkedHost) Barriers(bridge string) ([]hostcheck.Barrier, error) {
	all, err := firewall.Barriers(bridge)
	if err != nil {
		return nil, err
	}
	var found []hostcheck.Barrier
	for _, b := range all {
		if !b.IsForward() { // the next start of a box sees to that
			found = append(found, hostcheck.Barrier{Name: "the " + b.String(), Fix: b.Fix(bridge)})
		}
	}
	users, err := UserNetworks(UserNetworksFile)
	if err != nil {
		return nil, err
	}
	return append(found, usersBarriers(users)...), nil
}

// usersBarriers looks whether iptables' FORWARD, or what Docker makes of it, keeps
// users' boxes from the world: their starts may not change it.
func usersBarriers(users []UserNetwork) []hostcheck.Barrier {
	var found []hostcheck.Barrier
	for _, u := range users {
		if through, err := firewall.LetsThrough(u.Bridge, false); err == nil && !through {
			found = append(found, hostcheck.Barrier{
				Name: fmt.Sprintf("iptables' chain FORWARD has no rule for %s, the bridge of %s, and", u.Bridge, u.User),
				Fix:  "sudo berth setup network",
			})
		}
	}
	return found
}

func (h checkedHost) Nameservers() ([]string, error) {
	servers, _, err := nameservers(h.p.Nameservers)
	return servers, err
}

// Ask asks a name server for those of the root zone, which every resolver knows.
func (checkedHost) Ask(ctx context.Context, server string) error {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(server, "53"))
	}}
	_, err := r.LookupNS(ctx, ".")
	return err
}
