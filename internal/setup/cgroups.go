package setup

import (
	"context"
	"errors"
	"fmt"

	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// cgroups gives the user a cgroup in every hierarchy of v1, where boxes have their
// limits. With v2, systemd hands controllers on (delegation).
type cgroups struct{ h *host }

func (c cgroups) missing() ([]change, error) {
	dirs, err := cgroup.MissingUserDirs(c.h.user.uid)
	if err != nil || len(dirs) == 0 {
		return nil, err
	}
	text := fmt.Sprintf("make %d cgroups that belong to %s, for now: %s and so on", len(dirs), c.h.user.name, dirs[0])
	return []change{{text, func(context.Context) error {
		var errs []error
		for _, dir := range dirs {
			errs = append(errs, cgroup.MakeUserDir(dir, c.h.user.uid, c.h.user.gid))
		}
		return errors.Join(errs...)
	}}}, nil
}

func (c cgroups) undo() ([]change, error) {
	has, err := cgroup.HasUserDirs(c.h.user.uid)
	if err != nil || !has {
		return nil, err
	}
	return []change{{"remove the cgroups that belong to " + c.h.user.name, func(context.Context) error {
		return cgroup.RemoveUserDirs(c.h.user.uid)
	}}}, nil
}
