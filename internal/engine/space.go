package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/provider"
)

// Use is something of a provider that uses space.
type Use struct {
	provider.Use
	Provider string
	Of       string // what it is for people: "box web of shop"; may be empty
}

// Space returns what uses space, of all projects.
func (e *Engine) Space(ctx context.Context) ([]Use, error) {
	var all []Use
	err := e.janitors(ctx, func(name string, j provider.Janitor) error {
		uses, err := j.Space(ctx)
		if err != nil {
			return err
		}
		k, err := e.census()
		for _, u := range uses {
			all = append(all, k.use(name, u))
		}
		return err
	})
	return all, err
}

// CollectOptions say what Collect may remove.
type CollectOptions struct {
	DryRun    bool
	OlderThan time.Duration
	Keep      *int64 // bytes; nil: no limit
}

// Collect removes what no box, snapshot or lock of any project needs.
func (e *Engine) Collect(ctx context.Context, o CollectOptions, removed func(Use)) error {
	voice := e.UI.Box("gc")
	defer voice.Done()
	return e.janitors(ctx, func(name string, j provider.Janitor) error {
		// What is kept is looked up before who needs it: a snapshot or a fork is on
		// record before its disk is kept.
		free, err := checkpointKeys(ctx, j)
		if err != nil {
			return err
		}
		k, err := e.census()
		if err != nil {
			return err
		}
		c := provider.Collection{DryRun: o.DryRun, OlderThan: o.OlderThan, Keep: o.Keep, Projects: k.projectIDs()}
		c.Checkpoints = slices.DeleteFunc(free, func(key string) bool { return k.keys[key] != "" })
		c.Images, c.KeepImages = e.lockedImages(k, voice)
		report := (&target{voice: voice}).report()
		return j.Collect(ctx, c, func(u provider.Use) { removed(k.use(name, u)) }, report)
	})
}

func checkpointKeys(ctx context.Context, j provider.Janitor) ([]string, error) {
	c, ok := j.(provider.Checkpointer)
	if !ok {
		return nil, nil
	}
	all, err := c.Checkpoints(ctx)
	if errors.Is(err, provider.ErrUnsupported) {
		return nil, nil
	}
	var keys []string
	for _, k := range all {
		keys = append(keys, k.Key)
	}
	return keys, err
}

// janitors calls f for each provider that keeps something and can tell of it.
func (e *Engine) janitors(ctx context.Context, f func(name string, j provider.Janitor) error) error {
	names := []string{config.DefaultProvider}
	records, err := e.Home.Records("")
	if err != nil {
		return err
	}
	for _, r := range records {
		if !slices.Contains(names, r.Provider) {
			names = append(names, r.Provider)
		}
	}
	var errs []error
	for _, name := range names {
		of := e.withDefaults(ctx, name)
		err := of.Err
		if j, ok := of.Provider.(provider.Janitor); ok && err == nil {
			err = f(name, j)
		}
		if err != nil && !errors.Is(err, provider.ErrUnsupported) {
			errs = append(errs, fmt.Errorf("provider %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// census is who needs what.
type census struct {
	boxes    map[string]*state.Record // by their ids
	projects map[string]string        // names and folders, by their ids
	roots    []string                 // folders of projects
	keys     map[string]string        // of checkpoints that somebody needs -> who
}

// census reads the records of all boxes.
func (e *Engine) census() (*census, error) {
	records, err := e.Home.Records("")
	if err != nil {
		return nil, err
	}
	k := &census{boxes: map[string]*state.Record{}, projects: map[string]string{}, keys: map[string]string{}}
	for _, r := range records {
		k.boxes[r.ID] = r
		k.projects[r.ProjectID] = r.Project + " in " + r.Root
		if !slices.Contains(k.roots, r.Root) {
			k.roots = append(k.roots, r.Root)
		}
		if r.Checkpoint != "" {
			k.keys[r.Checkpoint] = "the beginning of " + whose(r)
		}
		snapshots, err := e.Home.Snapshots(r.ID)
		if err != nil {
			return nil, err
		}
		for _, s := range snapshots {
			k.keys[s.Key] = fmt.Sprintf("snapshot %s of %s", s.Name, whose(r))
		}
	}
	return k, nil
}

func whose(r *state.Record) string { return fmt.Sprintf("box %s of %s", r.Name, r.Project) }

func (k *census) projectIDs() []string {
	var ids []string
	for id := range k.projects {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// use says for people what something is.
func (k *census) use(name string, u provider.Use) Use {
	out := Use{Use: u, Provider: name}
	switch u.Kind {
	case provider.UseBox:
		out.Of = "a box that no project knows of"
		if r := k.boxes[u.Name]; r != nil {
			out.Of = whose(r)
		}
	case provider.UseCheckpoint:
		out.Of = k.keys[u.Name]
		out.Needed = u.Needed || out.Of != ""
		if u.Name == "" {
			out.Of = "layers that boxes stand on"
		}
	case provider.UseCache:
		out.Of = "of a project without boxes"
		if of := k.projects[u.Name]; of != "" {
			out.Of, out.Needed = "of "+of, true
		}
	}
	return out
}

// lockedImages returns the images that the locks of known projects name. Where a
// lock cannot be read, none may go.
func (e *Engine) lockedImages(k *census, voice *ui.Box) (digests []string, keepAll bool) {
	roots := slices.Clone(k.roots)
	if e.Envfile != nil && !slices.Contains(roots, e.Envfile.Root) {
		roots = append(roots, e.Envfile.Root)
	}
	for _, root := range roots {
		lock, err := state.LoadLockFile(root)
		switch {
		case errors.Is(err, state.ErrNoLockFile), isGone(root):
			continue
		case err != nil:
			voice.Warn("all images are kept, since what %s needs cannot be read: %s", root, err.Error())
			return nil, true
		}
		for _, img := range lock.Images {
			digests = append(digests, img.Digest)
		}
	}
	return digests, false
}

// isGone reports whether a folder positively does not exist.
func isGone(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
