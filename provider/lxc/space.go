package lxc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

// foundImage is an image's record and where it is.
type foundImage struct {
	image
	path string
}

// listImages returns the images whose records can be read, also those whose layer
// is gone.
func (s store) listImages() ([]foundImage, error) {
	files, err := filepath.Glob(filepath.Join(s.images(), "*.json"))
	if err != nil {
		return nil, err
	}
	var all []foundImage
	for _, path := range files {
		var img image
		if err := readRecord(path, &img); errors.Is(err, fs.ErrNotExist) {
			continue // removed just now
		} else if err != nil {
			return nil, fmt.Errorf("%w (remove it: the image is made again)", err)
		}
		all = append(all, foundImage{img, path})
	}
	return all, nil
}

// Space returns what uses space.
func (p *lxcProvider) Space(ctx context.Context) ([]provider.Use, error) {
	inv, err := p.store.takeStock(ctx)
	if err != nil {
		return nil, err
	}
	all := inv.uses()
	for _, r := range inv.boxes {
		size, err := layer.DiskUse(ctx, p.store.box(r.ID))
		if err != nil {
			return nil, err
		}
		all = append(all, provider.Use{Kind: provider.UseBox, Name: r.ID, Size: size, Shared: inv.sizeOf(r.Layers), Needed: true})
	}
	caches, err := p.store.listCaches(ctx)
	if err != nil {
		return nil, err
	}
	return append(all, caches...), ctx.Err()
}

// listCaches returns the packages of each project.
func (s store) listCaches(ctx context.Context) ([]provider.Use, error) {
	entries, err := os.ReadDir(filepath.Join(s.root, "cache"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the caches: %w", err)
	}
	var all []provider.Use
	for _, e := range entries {
		dir := filepath.Join(s.root, "cache", e.Name())
		size, err := layer.DiskUse(ctx, dir)
		if err != nil {
			return nil, err
		}
		u := provider.Use{Kind: provider.UseCache, Name: e.Name(), Size: size, Used: newest(filepath.Join(dir, "apt"))}
		if strings.HasPrefix(e.Name(), goneName) {
			u.Kind = provider.UseLeftover
		}
		all = append(all, u)
	}
	return all, nil
}

// newest returns the latest time of modification in a folder that a box may write
// to.
func newest(dir string) time.Time {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return usedAt(filepath.Dir(dir))
	}
	defer root.Close()
	var last time.Time
	entries, _ := readDirIn(root, ".") // of what cannot be read the rest counts
	for _, name := range append([]string{"."}, namesOf(entries)...) {
		if st, err := root.Lstat(name); err == nil && st.ModTime().After(last) {
			last = st.ModTime()
		}
	}
	return last
}

func namesOf(entries []fs.DirEntry) []string {
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
