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
	gone, err := p.release(id)
	if err != nil {
		return fmt.Errorf("destroy box %s: %w", id, err)
	}
	// Without the lock, which others want that start: a disk can have many files.
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("remove the files of a destroyed box: %w", err)
	}
	return p.store.releaseKept()
}

// release gives the leases back and returns where the box's files are now.
func (p *lxcProvider) release(id string) (gone string, err error) {
	unlock, err := p.store.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := p.store.sweep(); err != nil {
		return "", err
	}
	if gone, err = os.MkdirTemp(p.store.boxes(), goneName+"*"); err != nil {
		return "", err
	}
	// Renaming the whole folder drops record and leases at one stroke.
	if err := os.Rename(p.store.box(id), filepath.Join(gone, id)); err != nil {
		return "", err
	}
	return gone, errors.Join(p.mode.leave(p.store), p.mode.release(p.store))
}
