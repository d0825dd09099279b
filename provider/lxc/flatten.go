package lxc

import (
	"context"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

// maxLayers bounds the layers of a checkpoint, and with them those of the boxes
// that are made from it. Overlayfs takes 500, and mount(2) as many as have room in
// a page of options; each costs lookups of what is not there a little.
const maxLayers = 60

// mostMounted is less than have room in that page.
const mostMounted = 190

// finishLayers gives the layer l, over those beneath, its final name, and returns
// what it is made of together, topmost first. Where those would be too many, it is
// one new layer of all over the image's.
func (p *lxcProvider) finishLayers(ctx context.Context, l *layerDir, size int64, beneath []string, report provider.Report) ([]string, error) {
	if len(beneath) < maxLayers {
		if err := p.store.finishLayer(ctx, l, size); err != nil {
			return nil, err
		}
		return append([]string{l.name}, beneath...), nil
	}
	report.Step("join the layers of the disk")
	release, err := p.store.holdLayers(ctx, beneath)
	if err != nil {
		return nil, err
	}
	defer release()
	flat, err := p.store.newLayer()
	if err != nil {
		return nil, err
	}
	defer flat.close()
	paths := []string{l.path}
	for _, name := range beneath {
		paths = append(paths, p.store.layer(name))
	}
	base := len(paths) - 1
	w := &layer.Writer{Attrs: p.overlayAttrs()}
	if err := w.Merge(ctx, paths[:base], paths[base], flat.fd()); err != nil {
		return nil, fmt.Errorf("join the %d layers that its disk is made of: %w", len(paths), err)
	}
	if err := p.store.finishLayer(ctx, flat, w.Size); err != nil {
		return nil, err
	}
	return []string{flat.name, beneath[len(beneath)-1]}, nil
}

// holdLayers makes sure that layers, the last an image's, are whole, and that no
// sweep removes one until they are released: a checkpoint can go whose layers are
// being read.
func (s store) holdLayers(ctx context.Context, layers []string) (release func(), err error) {
	var held []*os.File
	release = func() {
		for _, f := range held {
			f.Close()
		}
	}
	kept := layers[:len(layers)-1]
	unlock, err := s.lockKept()
	if err != nil {
		return nil, err
	}
	for _, l := range kept {
		f, openErr := os.Open(s.layer(l))
		if err = openErr; err != nil {
			break
		}
		held = append(held, f)
		if err = unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
			break
		}
	}
	unlock()
	if err == nil {
		err = s.intact(ctx, kept)
	}
	if err != nil {
		release()
		return nil, fmt.Errorf("hold the layers of the disk: %w", err)
	}
	return release, nil
}

// goesOn reports whether what was kept of a box is of its disk over these layers.
func (k kept) goesOn(layers []string) bool {
	if k.Base != nil {
		return slices.Equal(k.Base, layers)
	}
	beneath := len(k.Layers) - len(layers) // an older Berth wrote it
	return beneath >= 1 && slices.Equal(k.Layers[beneath:], layers)
}
