package lxc

import (
	"context"
	"errors"
	"fmt"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// Resize changes the limits of a running box in its cgroups. LXC's own
// configuration is written anew at every start, so nothing else knows of them.
func (p *lxcProvider) Resize(ctx context.Context, id string, r provider.Resources) error {
	if _, err := p.store.load(id); err != nil {
		return err
	}
	state, pid, err := p.tools.info(ctx, id)
	if err != nil {
		return err
	}
	if s := states[state]; s != provider.Running && s != provider.Frozen || pid == 0 {
		return fmt.Errorf("change the limits of box %s: %w", id, provider.ErrNotRunning)
	}
	box, err := cgroup.Open(id, pid)
	if err != nil {
		return err
	}
	device, _ := cgroup.DiskOf(p.store.root) // none: Apply says so when a limit needs it
	if err := box.Fits(r); err != nil {
		return err
	}
	if err := p.resizeDisk(id, r, false); err != nil {
		return err
	}
	before := box.Limits(device)
	err = box.Apply(r, device)
	if err == nil {
		err = p.resizeDisk(id, r, true) // last, since it cannot be undone
	}
	if err == nil {
		return ctx.Err()
	}
	if undo := box.Apply(before, device); undo != nil {
		err = errors.Join(err, fmt.Errorf("the limits could not be set back: %w", undo))
	}
	return err
}
