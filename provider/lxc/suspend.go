package lxc

import (
	"context"
	"fmt"

	"github.com/berth-dev/berth/provider"
)

// Suspend freezes the box with the freezer of its cgroup.
func (p *lxcProvider) Suspend(ctx context.Context, id string) error {
	return p.freezer(ctx, id, "suspend", provider.Running, p.tools.freeze)
}

// Resume lets a frozen box run again.
func (p *lxcProvider) Resume(ctx context.Context, id string) error {
	return p.freezer(ctx, id, "resume", provider.Frozen, p.tools.unfreeze)
}

// freezer changes a box in state from with the tool, and does nothing for one
// that is in the other state already.
func (p *lxcProvider) freezer(ctx context.Context, id, verb string, from provider.State, tool func(context.Context, string) error) error {
	if _, err := p.store.load(id); err != nil {
		return err
	}
	state, _, err := p.tools.info(ctx, id)
	if err != nil {
		return err
	}
	switch states[state] {
	case from:
	case provider.Running, provider.Frozen:
		return nil
	default:
		return fmt.Errorf("%s box %s: %w", verb, id, provider.ErrNotRunning)
	}
	if err := tool(ctx, id); err != nil {
		return fmt.Errorf("%s box %s: %w", verb, id, err)
	}
	return nil
}
