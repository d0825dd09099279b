package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/deep"
)

// fromCheckpoint returns what a box that starts from a checkpoint is made of.
func (p *lxcProvider) fromCheckpoint(ctx context.Context, spec provider.Spec) ([]string, error) {
	c, err := p.store.loadCheckpoint(ctx, spec.Checkpoint)
	if err != nil {
		return nil, err
	}
	base := c.Layers[len(c.Layers)-1]
	if now := p.builtImage(spec.Image); now != "" && now != base {
		return nil, fmt.Errorf("%w: %s is of an older build of the image %s", provider.ErrNoCheckpoint, c.Key, spec.Image)
	}
	touch(p.store.checkpointFile(c.Key))
	return c.Layers, nil
}

// Restore gives the box the disk of a checkpoint. The new disk is made beside the
// old one; the record that says so is the point from which there is no way back
// but forward.
func (p *lxcProvider) Restore(ctx context.Context, spec provider.Spec, key string, report provider.Report) error {
	r, err := p.store.load(spec.ID)
	if err != nil {
		return err
	}
	if !r.Ready {
		return fmt.Errorf("restore box %s: it was never finished: %w", r.ID, provider.ErrNotFound)
	}
	state, _, err := p.tools.info(ctx, r.ID)
	if err != nil {
		return err
	}
	if state != "STOPPED" {
		return fmt.Errorf("restore box %s: it is running: halt it first", r.ID)
	}
	if err := p.settle(ctx, r.ID); err != nil {
		return fmt.Errorf("restore box %s: %w", r.ID, err)
	}
	c, err := p.store.loadCheckpoint(ctx, key)
	if err != nil {
		return fmt.Errorf("restore box %s: %w", r.ID, err)
	}
	report.Step("restore the disk")
	fresh := r
	fresh.Layers = c.Layers
	err = p.exchangeDisk(&r, c.Layers, func(dir string) error { return p.makeDiskIn(ctx, dir, fresh, spec) })
	if err != nil {
		return fmt.Errorf("restore box %s: %w", r.ID, err)
	}
	return nil
}

// exchangeDisk gives the box the disk that fill makes in a folder, over other
// layers.
func (p *lxcProvider) exchangeDisk(r *record, layers []string, fill func(dir string) error) error {
	if r.Restoring != nil { // an earlier one was killed
		if err := p.finishExchange(r); err != nil {
			return err
		}
	}
	fresh := p.store.file(r.ID, "disk-new")
	if err := fill(fresh); err != nil {
		return errors.Join(err, deep.Remove(fresh))
	}
	if err := syncTree(fresh); err != nil {
		return err
	}
	r.Restoring = layers
	if err := p.store.saveUsing(*r, layers); err != nil {
		return err
	}
	return p.finishExchange(r)
}

// finishExchange finishes what the record says was begun.
func (p *lxcProvider) finishExchange(r *record) error {
	disk, fresh := p.store.file(r.ID, "disk"), p.store.file(r.ID, "disk-new")
	if err := p.store.forgetKept(r.ID); err != nil {
		return err
	}
	if exists(fresh) { // else the new one is in its place
		if err := deep.Remove(disk); err != nil {
			return err
		}
		if err := os.Rename(fresh, disk); err != nil {
			return err
		}
	}
	r.Layers, r.Restoring = r.Restoring, nil
	return p.store.save(*r)
}

// saveUsing saves a record that names layers, if they are there.
func (s store) saveUsing(r record, layers []string) error {
	unlock, err := s.lockKept()
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.haveLayers(layers); err != nil {
		return err
	}
	return s.save(r)
}

// releaseKept removes the layers that nothing names any more.
func (s store) releaseKept() error {
	if !exists(s.keptLayers()) {
		return nil
	}
	unlock, err := s.lockKept()
	if err != nil {
		return err
	}
	return s.sweepKeptThen(unlock)
}

// builtImage returns the digest of an image that has been built, "" for one that
// has not.
func (p *lxcProvider) builtImage(name string) string {
	path, err := p.imagePath(name)
	if err != nil {
		return ""
	}
	img, err := p.store.loadImage(path)
	if err != nil {
		return ""
	}
	return img.Layer
}
