package setup

import (
	"errors"
	"slices"

	"github.com/berth-dev/berth/provider/lxc"
	"github.com/berth-dev/berth/provider/lxc/account"
)

// person is the user that makes boxes.
type person struct {
	name     string
	uid, gid int
	// gone says that there is no such account any more. uid is then what it was,
	// if that is known, and gid nothing.
	gone bool
}

// nobody is no user's number.
const nobody = -1

// find looks a user up.
func find(name string) (person, error) {
	if name == "" {
		return person{}, errors.New("for whom? Say so: sudo berth setup --user NAME")
	}
	u, err := account.ByName(name)
	if err != nil {
		return person{}, err
	}
	if u.UID == 0 {
		return person{}, errors.New("root needs no preparation: sudo berth up makes root's own boxes")
	}
	return person{name: u.Name, uid: u.UID, gid: u.GID}, nil
}

// former returns a user whose account was deleted but for whom setup has changed
// something.
func (h *host) former(name string) (p person, ok bool, err error) {
	p = person{name: name, uid: nobody, gid: nobody, gone: true}
	all, err := lxc.UserNetworks(h.path(lxc.UserNetworksFile))
	if err != nil {
		return p, false, err
	}
	if i := slices.IndexFunc(all, func(u lxc.UserNetwork) bool { return u.User == name }); i >= 0 {
		p.uid, ok = all[i].UID, true
	}
	return p, ok || h.done.Users[name] != nil, nil
}
