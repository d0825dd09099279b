package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// maxLayers bounds the layers of a checkpoint; overlayfs takes 500. Each layer
// costs lookups of what is not there a little. A box at the limit keeps all that
// it has in one layer over those that it was made from.
const maxLayers = 60

var keyForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

const maxKey = 64

func isKey(key string) bool { return len(key) <= maxKey && keyForm.MatchString(key) }

// Checkpoint keeps the box's disk: what its upper folder has beyond its last
// checkpoint becomes a layer over that one's.
func (p *lxcProvider) Checkpoint(ctx context.Context, id, key string, report provider.Report) error {
	if !isKey(key) {
		return fmt.Errorf("keep box %s: the key %q is not made of a-z, 0-9 and '-'", id, key)
	}
	r, pid, err := p.keepable(ctx, id)
	if err != nil {
		return err
	}
	report.Step("keep the disk")
	if err := p.keep(ctx, r, key, pid, report); err != nil {
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			err = fmt.Errorf("%w\nThe disk is full: free some space (berth snapshot delete), or move the data folder with $BERTH_HOME", err)
		}
		return fmt.Errorf("keep the disk of box %s: %w", id, err)
	}
	return nil
}

// keepable returns the record of a box that is whole, and the first process of one
// that runs, else 0.
func (p *lxcProvider) keepable(ctx context.Context, id string) (r record, pid int, err error) {
	if r, err = p.store.load(id); err != nil {
		return r, 0, err
	}
	if !r.Ready || r.Restoring != nil {
		return r, 0, fmt.Errorf("keep box %s: it was never finished: %w", id, provider.ErrNotFound)
	}
	state, pid, err := p.tools.info(ctx, id)
	if err != nil || states[state] != provider.Running { // stopped or suspended: nothing changes
		return r, 0, err
	}
	return r, pid, nil
}

// keep makes the checkpoint. pid is the first process of a box that runs, else 0.
func (p *lxcProvider) keep(ctx context.Context, r record, key string, pid int, report provider.Report) error {
	l, err := p.store.newLayer()
	if err != nil {
		return err
	}
	defer l.close()
	k := &keeper{ctx: ctx, attrs: p.overlayAttrs(), beneath: p.store.loadKept(r)}
	now, err := p.lookTwice(ctx, k, r, l, pid, report)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.store.finishLayer(ctx, l, k.size); err != nil {
		return err
	}
	c := checkpoint{Key: key, Image: r.Image, Layers: append([]string{l.name}, k.beneath.Layers...), Created: time.Now().UTC()}
	if err := p.store.saveCheckpoint(c); err != nil {
		return err
	}
	return p.store.saveKept(r.ID, kept{Layers: c.Layers, Cutoff: k.cutoff, Top: now})
}

// lookTwice copies what the box has: while it runs and then what has changed
// since while it stands still; at once if it does not run.
//
// The box's files are written to the disk first. That makes the kernel notice,
// and stamp, the next write through a mapping (mmap(2)), which goes unseen as
// long as the page is dirty.
func (p *lxcProvider) lookTwice(ctx context.Context, k *keeper, r record, l *layerDir, pid int, report provider.Report) (*node, error) {
	disk, err := openOwn(p.store.file(r.ID, "disk"))
	if err != nil {
		return nil, err
	}
	defer disk.close()
	upper := disk.upper()
	begin := time.Now()
	k.cutoff = begin.Add(-clockGrain).UnixNano()
	if pid == 0 {
		k.final = true
		return k.look(upper, l.fd(), nil)
	}
	if err := syncTree(upper); err != nil {
		return nil, err
	}
	before, err := k.look(upper, l.fd(), nil)
	if err != nil {
		return nil, err
	}
	goOn, err := p.standStill(ctx, r.ID, pid)
	if err != nil {
		return nil, err
	}
	k.final = true
	now, err := k.look(upper, l.fd(), before)
	still, thawErr := goOn()
	report.Step(fmt.Sprintf("kept the disk in %s; the box stood still for %s", time.Since(begin).Round(time.Millisecond), still.Round(time.Millisecond)))
	return now, errors.Join(err, thawErr)
}

// layerDir is a layer that is being written, or just has been. As long as it is
// open nobody sweeps it away.
type layerDir struct {
	name string
	path string
	f    *os.File
}

func (l *layerDir) fd() int { return int(l.f.Fd()) }

// close lets go of the layer. What has not got its final name is removed.
func (l *layerDir) close() {
	if filepath.Base(l.path) != l.name {
		_ = os.RemoveAll(l.path) // else the next sweep does
	}
	l.f.Close()
}
