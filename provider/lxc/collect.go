package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/deep"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

// Collect removes what nothing needs. Records go before what they name, so that
// whatever is killed leaves only what nobody is led to, which the next one finds.
func (p *lxcProvider) Collect(ctx context.Context, c provider.Collection, removed func(provider.Use), report provider.Report) error {
	if removed == nil {
		removed = func(provider.Use) {}
	}
	done, err := p.store.useAlone(ctx, report)
	if err != nil {
		return err
	}
	defer done()
	g := &collector{ctx: ctx, store: p.store, c: c, removed: removed, gone: map[string]bool{}}
	return errors.Join(g.boxes(), g.disks(), g.caches())
}

// collector is one collection. The store's use lock is held.
type collector struct {
	ctx     context.Context
	store   store
	c       provider.Collection
	removed func(provider.Use)
	gone    map[string]bool // layers that went with what has been removed, or would in a dry run
}

// boxes removes the files of destroyed boxes.
func (g *collector) boxes() error {
	unlock, err := g.store.lock()
	if err != nil {
		return err
	}
	leftovers := g.store.claimGone()
	unlock()
	for _, gone := range leftovers {
		err = errors.Join(err, g.leftover(gone.path))
		gone.f.Close()
	}
	return err
}

// leftover removes a folder that nobody is led to.
func (g *collector) leftover(dir string) error {
	size, err := layer.DiskUse(g.ctx, dir)
	if err != nil {
		return err
	}
	return g.remove(dir, provider.Use{Kind: provider.UseLeftover, Name: g.relative(dir), Size: size})
}

func (g *collector) relative(path string) string {
	return strings.TrimPrefix(path, g.store.root+"/")
}

func (g *collector) remove(path string, u provider.Use) error {
	if !g.c.DryRun {
		if err := deep.Remove(path); err != nil {
			return fmt.Errorf("remove %s: %w", g.relative(path), err)
		}
	}
	g.removed(u)
	return g.ctx.Err()
}

// disks removes images and checkpoints, and layers that nothing names. The lock
// on what is kept is held meanwhile, under which a box or a checkpoint gets its
// record: what is found to be needed by nobody stays so.
func (g *collector) disks() error {
	unlock, err := g.store.lockKept()
	if err != nil {
		return err
	}
	defer unlock()
	st, err := g.store.takeStock(g.ctx)
	if err != nil {
		return err
	}
	// Images that are linked from elsewhere are not only ours.
	own := !isLink(g.store.images()) && !isLink(g.store.layers())
	for _, it := range st.toGo(g.c, own, time.Now()) {
		u := it.use()
		for _, l := range it.layers {
			if st.refs[l]--; st.refs[l] == 0 {
				u.Size += st.sizes[l]
				g.gone[l] = true
			}
		}
		if !g.c.DryRun {
			if err := g.drop(it, st); err != nil {
				return err
			}
		}
		g.removed(u)
		if err := g.ctx.Err(); err != nil {
			return err
		}
	}
	return errors.Join(g.unfinished(st), g.strays(st, own))
}

func isLink(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.Mode()&os.ModeSymlink != 0
}

// drop removes an item, and those of its layers that nothing names any more.
func (g *collector) drop(it *item, st *stock) error {
	if err := os.Remove(it.file); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove %s %s: %w", it.kind, it.name, err)
	}
	if it.kind == provider.UseImage {
		_ = os.Remove(it.file + ".lock") // nobody waits for it: who would holds the use lock
	}
	for _, l := range it.layers {
		if st.refs[l] > 0 {
			continue
		}
		if strings.HasPrefix(l, keptLayer) {
			continue // the sweep finds it
		}
		if err := g.store.dropLayer(l); err != nil {
			return err
		}
	}
	if it.kind == provider.UseCheckpoint {
		return g.store.sweepKept()
	}
	return nil
}

// dropLayer removes an image's layer: at one stroke it is not there any more.
func (s store) dropLayer(l string) error {
	gone := filepath.Join(s.layers(), goneName+l)
	if err := deep.Remove(gone); err != nil {
		return err
	}
	if err := os.Rename(s.layer(l), gone); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove the layer %s: %w", l, err)
	}
	return deep.Remove(gone)
}

// unfinished removes checkpoints' layers that were never finished.
func (g *collector) unfinished(st *stock) error {
	entries, err := os.ReadDir(g.store.keptLayers())
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("list the layers of checkpoints: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(g.store.keptLayers(), e.Name())
		if !e.IsDir() || st.refs[e.Name()] > 0 || g.gone[e.Name()] {
			continue
		}
		unlock, free, err := tryLockDir(path)
		if err != nil || !free {
			continue // it is being made, or has just gone
		}
		err = g.leftover(path)
		unlock()
		if err != nil {
			return err
		}
		if !g.c.DryRun {
			_ = os.Remove(g.store.sumFile(e.Name())) // there may be none
		}
	}
	return nil
}

// strays removes what is left in the folder of images' layers.
func (g *collector) strays(st *stock, own bool) error {
	if !own {
		return nil
	}
	strays, err := g.store.halfMade(g.ctx, st.refs)
	if err != nil {
		return err
	}
	for _, u := range strays {
		name := filepath.Base(u.Name)
		if g.gone[name] {
			continue // in a dry run it is there still
		}
		if !g.c.DryRun && !strings.HasPrefix(name, ".") {
			if err := g.store.dropLayer(name); err != nil {
				return err
			}
		}
		if err := g.remove(filepath.Join(g.store.layers(), name), u); err != nil {
			return err
		}
	}
	return nil
}

// caches removes the packages of projects that have no box.
func (g *collector) caches() error {
	all, err := g.store.listCaches(g.ctx)
	if err != nil {
		return err
	}
	for _, u := range all {
		old := time.Since(u.Used) >= g.c.OlderThan
		if u.Kind == provider.UseCache && (slices.Contains(g.c.Projects, u.Name) || !old) {
			continue
		}
		path := filepath.Join(g.store.root, "cache", u.Name)
		if u.Kind == provider.UseLeftover {
			u.Name = "cache/" + u.Name
		}
		if err := g.remove(path, u); err != nil {
			return err
		}
	}
	return nil
}
