package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// Locked is what Lock did.
type Locked struct {
	Path        string
	Differences []Difference // that were taken over
	Written     bool
}

// LockError is a lock that something does not agree with.
type LockError struct{ Differences []Difference }

func (e *LockError) Error() string {
	lines := []string{state.LockFileName + " and what is here differ"}
	for _, d := range e.Differences {
		lines = append(lines, d.String())
	}
	advice := "berth lock --update takes what is here"
	if slices.ContainsFunc(e.Differences, func(d Difference) bool { return strings.HasPrefix(d.What, "image ") }) {
		advice += `; an image of exactly the locked packages can be built from a mirror that is pinned to a day: provider "lxc" { mirror = "…" }`
	}
	return strings.Join(append(lines, advice), "\n")
}

// Lock writes Envfile.lock: what the images and external plugins are that the
// Envfile names, and what its steps consist of, getting images that are not here. What is locked already and
// differs is an error, unless update is set.
func (e *Engine) Lock(ctx context.Context, update bool) (Locked, error) {
	done := Locked{Path: e.Envfile.Root + "/" + state.LockFileName}
	targets, err := e.prepare(ctx, e.Envfile.Boxes, true)
	if err != nil {
		return done, err
	}
	targets = shared(targets)
	lock, err := state.LoadLockFile(e.Envfile.Root)
	if errors.Is(err, state.ErrNoLockFile) || err != nil && update {
		lock, err = &state.LockFile{}, nil
	}
	if err != nil {
		return done, err
	}
	now, _, err := e.lockable(ctx, targets, true)
	if err != nil {
		return done, err
	}
	if now.Boxes, err = e.lockedBoxes(targets); err != nil {
		return done, err
	}
	done.Differences = compare(lock, now, runtime.GOARCH)
	if !update && slices.ContainsFunc(done.Differences, func(d Difference) bool { return !d.New && !d.Gone }) {
		return done, &LockError{done.Differences}
	}
	if _, err := os.Lstat(done.Path); err == nil && len(done.Differences) == 0 && len(lock.Images)+len(lock.Plugins)+len(lock.Boxes) > 0 {
		return done, nil
	}
	others(lock, now)
	done.Written = true
	return done, now.Save(e.Envfile.Root)
}

// others adds to a new lock what the old one has of other architectures.
func others(old, now *state.LockFile) {
	for _, i := range old.Images {
		if i.Arch != runtime.GOARCH {
			now.Images = append(now.Images, i)
		}
	}
	for _, p := range old.Plugins {
		if p.Arch != runtime.GOARCH {
			now.Plugins = append(now.Plugins, p)
		}
	}
}

// shared leaves out the boxes that only this user has: the lock is the team's.
func shared(targets []*target) []*target {
	return slices.DeleteFunc(slices.Clone(targets), func(t *target) bool { return t.box.Personal })
}

// Missing is what is not on this host.
type Missing struct {
	What  string // `image "debian:bookworm"`
	Boxes []string
	Err   error
}

// lockable returns what the targets use of what can be locked, but for what only
// this user has. Images that are not here are fetched, or else returned as missing.
func (e *Engine) lockable(ctx context.Context, targets []*target, fetch bool) (*state.LockFile, []Missing, error) {
	now := &state.LockFile{}
	var missing []Missing
	by := map[string]string{} // an image's key -> the box that it was seen at
	able := e.checks(ctx, targets)
	for _, t := range targets {
		if fetch {
			if err := able[t.box.Provider.Name](); err != nil {
				return nil, nil, err
			}
		}
		img, err := e.imageOf(ctx, t, fetch)
		switch {
		case errors.Is(err, provider.ErrUnsupported):
			continue // its provider has no images that could differ
		case err != nil && providerDiagnostic(t.box, err) != nil:
			return nil, nil, blame(t.box, err)
		case errors.Is(err, provider.ErrImage) && !fetch:
			what := fmt.Sprintf("image %q", t.box.Image)
			if i := slices.IndexFunc(missing, func(m Missing) bool { return m.What == what }); i >= 0 {
				missing[i].Boxes = append(missing[i].Boxes, t.box.Name)
			} else {
				missing = append(missing, Missing{what, []string{t.box.Name}, err})
			}
			continue
		case err != nil:
			return nil, nil, err
		}
		if t.box.Personal {
			continue
		}
		switch same := now.Image(img.Key()); {
		case same == nil:
			now.Images = append(now.Images, img)
			by[img.Key()] = t.box.Name
		case same.Digest != img.Digest:
			return nil, nil, fmt.Errorf("boxes %q and %q have different images by the name of %s, which a lock cannot tell apart: "+
				"give both the same arguments of the provider", by[img.Key()], t.box.Name, img.Image)
		}
	}
	var err error
	now.Plugins, err = e.lockablePlugins(targets)
	return now, missing, err
}

// imageOf returns the image of a box as a lock has it, asking once in a command
// for one that is here.
func (e *Engine) imageOf(ctx context.Context, t *target, fetch bool) (state.LockedImage, error) {
	imager, ok := t.plugin.(provider.Imager)
	if !ok {
		return state.LockedImage{}, provider.ErrUnsupported
	}
	if t.image != nil && !fetch {
		return *t.image, nil
	}
	if fetch {
		if err := imager.FetchImage(ctx, t.box.Image, t.report()); err != nil {
			return state.LockedImage{}, err
		}
		defer t.voice.Done()
	}
	img, err := imager.Image(ctx, t.box.Image)
	locked := state.LockedImage{
		Provider: t.box.Provider.Name, Image: t.box.Image, Arch: img.Arch, Digest: img.Digest, Packages: []string{},
	}
	for _, p := range img.Packages {
		locked.Packages = append(locked.Packages, strings.TrimSpace(p.Name+" "+p.Version+" "+p.Arch+" "+p.SHA256))
	}
	if err == nil {
		t.image = &locked
	}
	return locked, err
}

// lockablePlugins returns the external plugins that the targets use.
func (e *Engine) lockablePlugins(targets []*target) ([]state.LockedPlugin, error) {
	used := map[[2]string]bool{}
	for _, t := range shared(targets) {
		used[[2]string{"provider", t.box.Provider.Name}] = true
		for _, p := range t.box.Provisioners {
			if !p.Personal {
				used[[2]string{"provisioner", p.Type}] = true
			}
		}
	}
	var all []state.LockedPlugin
	for k := range used {
		path := ""
		if e.PluginFile != nil {
			path = e.PluginFile(k[0], k[1])
		}
		if path == "" {
			continue // it is a part of berth
		}
		sum, err := fileSum(path)
		if err != nil {
			return nil, fmt.Errorf("lock the %s plugin %q: %w", k[0], k[1], err)
		}
		all = append(all, state.LockedPlugin{Kind: k[0], Name: k[1], Arch: runtime.GOARCH, SHA256: sum})
	}
	slices.SortFunc(all, func(a, b state.LockedPlugin) int { return strings.Compare(a.Key(), b.Key()) })
	return all, nil
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
