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
	"github.com/berth-dev/berth/provider/lxc/deep"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

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

// boxWriter returns what writes a box's files into a layer: without what makes
// the box itself, and what Berth has written into files of the user's.
func (p *lxcProvider) boxWriter() *layer.Writer {
	edit := map[string]func(string) string{}
	for _, name := range shared {
		edit[name] = func(text string) string {
			text, _ = replaceBlock(text, "")
			return text
		}
	}
	return &layer.Writer{Attrs: p.overlayAttrs(), Skip: isPersonal, Edit: edit}
}

// overlayAttrs begins the names of overlayfs's attributes in what the boxes have.
func (p *lxcProvider) overlayAttrs() string {
	if _, root := p.mode.(rootMode); root {
		return layer.RootAttrs
	}
	return layer.UserAttrs
}

// keep makes the checkpoint. pid is the first process of a box that runs, else 0.
func (p *lxcProvider) keep(ctx context.Context, r record, key string, pid int, report provider.Report) error {
	l, err := p.store.newLayer()
	if err != nil {
		return err
	}
	defer l.close()
	beneath := p.store.loadKept(r)
	w := p.boxWriter()
	w.Beneath, w.BeneathCutoff = beneath.Top, beneath.Cutoff
	now, err := p.lookTwice(ctx, w, r, l, pid, report)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	layers, err := p.finishLayers(ctx, l, w.Size, beneath.Layers, report)
	if errors.Is(err, provider.ErrNoCheckpoint) {
		err = errors.Join(err, p.store.forgetKept(r.ID)) // the next one goes without what the last has
	}
	if err != nil {
		return err
	}
	c := checkpoint{Key: key, Image: r.Image, Layers: layers, Created: time.Now().UTC()}
	if err := p.store.saveCheckpoint(c); err != nil {
		return err
	}
	return p.store.saveKept(r.ID, kept{Base: r.Layers, Layers: c.Layers, Cutoff: w.Cutoff, Top: now})
}

// lookTwice copies what the box has: while it runs and then what has changed
// since while it stands still; at once if it does not run.
func (p *lxcProvider) lookTwice(ctx context.Context, w *layer.Writer, r record, l *layerDir, pid int, report provider.Report) (*layer.Node, error) {
	disk, err := openOwn(p.store.file(r.ID, "disk"))
	if err != nil {
		return nil, err
	}
	defer disk.close()
	upper := disk.upper()
	begin := time.Now()
	w.Cutoff = layer.CutoffAt(begin)
	// Also of a box that is suspended: what it has mapped is to be clean, so that
	// its next write is seen by the look after this (layer.CutoffAt).
	if err := syncTree(upper); err != nil {
		return nil, err
	}
	if pid == 0 {
		return w.Look(ctx, upper, l.fd(), nil, true)
	}
	before, err := w.Look(ctx, upper, l.fd(), nil, false)
	if err != nil {
		return nil, err
	}
	goOn, err := p.standStill(ctx, r.ID, pid)
	if err != nil {
		return nil, err
	}
	now, err := w.Look(ctx, upper, l.fd(), before, true)
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
		_ = deep.Remove(l.path) // else the next sweep does
	}
	l.f.Close()
}
