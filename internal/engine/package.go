package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// Package writes a box, running or not, into a file, which is whole or not there.
func (e *Engine) Package(ctx context.Context, x *Existing, file string, replace bool) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(file); err == nil && !replace {
		return fmt.Errorf("write %s: there is something by that name already: --force replaces it", file)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return e.existingBox(ctx, x, func(p provider.Provider, _ provider.Checkpointer, _ provider.Box) error {
		packager, ok := p.(provider.Packager)
		if !ok {
			return fmt.Errorf("its provider makes no archives: %w", provider.ErrUnsupported)
		}
		x.voice.Stage("packaging")
		out, err := newWhole(file)
		if err != nil {
			return err
		}
		defer out.drop()
		if err := packager.Package(ctx, x.record.ID, out.f.Name(), (&target{voice: x.voice}).report()); err != nil {
			return err
		}
		size, err := out.keep()
		if err == nil {
			x.voice.Say("packaged into %s, %d MiB", file, size>>20)
		}
		return err
	})
}

// whole is a file that gets its name when it is whole. Its owner is who runs
// berth, whoever fills it.
type whole struct {
	f    *os.File
	name string
}

// newWhole makes one, after removing what was left of those that were killed:
// nobody has their lock.
func newWhole(name string) (*whole, error) {
	dir, base := filepath.Split(name)
	pattern := "." + base + ".berth-"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), pattern) && e.Type().IsRegular() {
			removeUnlocked(filepath.Join(dir, e.Name()))
		}
	}
	f, err := os.CreateTemp(dir, pattern+"*")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return &whole{f, name}, nil
}

func removeUnlocked(path string) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		_ = os.Remove(path) // else the next one tries again
	}
}

// keep gives it its name, once it is on the disk.
func (w *whole) keep() (size int64, err error) {
	st, err := w.f.Stat()
	if err == nil {
		err = w.f.Sync()
	}
	if err == nil {
		err = os.Rename(w.f.Name(), w.name)
	}
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", w.name, err)
	}
	return st.Size(), nil
}

// drop closes it, and removes it if it did not get its name.
func (w *whole) drop() {
	_ = os.Remove(w.f.Name()) // by the name that it had before
	w.f.Close()
}

// ImportImage makes an image of an archive, and returns what it is.
func (e *Engine) ImportImage(ctx context.Context, of string, i provider.Import) (img provider.Image, err error) {
	if i.File, err = filepath.Abs(i.File); err != nil {
		return img, err
	}
	found := e.withDefaults(ctx, of)
	if found.Err != nil {
		return img, found.Err
	}
	packager, ok := found.Provider.(provider.Packager)
	if !ok {
		return img, fmt.Errorf("provider %q takes no archives: %w", of, provider.ErrUnsupported)
	}
	voice := e.UI.Box("import")
	defer voice.Done()
	if err := packager.ImportImage(ctx, i, (&target{voice: voice}).report()); err != nil {
		return img, err
	}
	imager, ok := found.Provider.(provider.Imager)
	if !ok {
		return provider.Image{Name: i.Name}, nil
	}
	return imager.Image(ctx, i.Name)
}
