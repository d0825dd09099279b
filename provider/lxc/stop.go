package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/berth-dev/berth/provider"
)

// Stop halts the box, by force after grace.
func (p *lxcProvider) Stop(ctx context.Context, id string, grace time.Duration, report provider.Report) error {
	r, err := p.store.load(id)
	if err != nil {
		return err
	}
	state, pid, err := p.tools.info(ctx, id)
	if err != nil {
		return err
	}
	if state != "STOPPED" {
		if err := p.halt(ctx, id, state, pid, grace); err != nil {
			return fmt.Errorf("stop box %s: %w", id, err)
		}
	}
	if err := p.settle(ctx, id); err != nil {
		return fmt.Errorf("stop box %s: %w", id, err)
	}
	if len(r.NICs) == 0 {
		return nil
	}
	return p.disconnect()
}

// Destroy removes the box and everything it has on the host. The record goes
// last, so a Destroy that was killed is finished by the next.
func (p *lxcProvider) Destroy(ctx context.Context, id string, report provider.Report) error {
	if !isID(id) {
		return fmt.Errorf("destroy box %q: %w", id, provider.ErrNotFound)
	}
	r, loadErr := p.store.load(id)
	if _, err := os.Stat(p.store.box(id)); errors.Is(err, os.ErrNotExist) {
		return loadErr
	}
	// A record that cannot be read must not keep its box from being removed.
	if state, _, err := p.tools.info(ctx, id); err == nil && state != "STOPPED" {
		if err := p.halt(ctx, id, state, 0, 0); err != nil {
			return fmt.Errorf("destroy box %s: %w", id, err)
		}
	}
	if err := p.settle(ctx, id); err != nil {
		return fmt.Errorf("destroy box %s: %w", id, err)
	}
	if err := awaitLoops(ctx, id); err != nil {
		return fmt.Errorf("destroy box %s: %w", id, err)
	}
	p.store.noteUse(r.Layers)
	return p.remove(id)
}

// remove gives the leases back and removes the files.
func (p *lxcProvider) remove(id string) error {
	gone, leftovers, err := p.release(id)
	if err != nil {
		sweep(leftovers)
		return fmt.Errorf("destroy box %s: %w", id, err)
	}
	if err = gone.remove(); err != nil {
		err = fmt.Errorf("remove the files of the destroyed box %s: %w", id, err)
	}
	sweep(leftovers)
	return errors.Join(err, p.store.releaseKept())
}

// release gives the leases back and returns where the box's files are now, and
// what else is to be removed.
func (p *lxcProvider) release(id string) (gone *goneDir, leftovers []*goneDir, err error) {
	unlock, err := p.store.lock()
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	leftovers = p.store.claimGone()
	if gone, err = p.store.newGone(); err != nil {
		return nil, leftovers, err
	}
	// Renaming the whole folder drops record and leases at one stroke.
	err = os.Rename(p.store.box(id), filepath.Join(gone.path, id))
	if err == nil {
		err = errors.Join(p.mode.leave(p.store), p.mode.release(p.store))
	}
	if err != nil {
		return nil, append(leftovers, gone), err
	}
	return gone, leftovers, nil
}
