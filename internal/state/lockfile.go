package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// LockFileName is the name of the lock beside the Envfile. Teams commit it.
const LockFileName = "Envfile.lock"

// lockVersion is the format of the file. A newer one is refused.
const lockVersion = 1

// LockFile says what an Envfile means, to the byte: what its images, its
// external plugins and the steps of its boxes are. Its text is the same for the
// same content, with a line for each package and each part of a step, so that
// changes can be read and merged.
type LockFile struct {
	Version int            `json:"version"`
	Images  []LockedImage  `json:"images"`
	Plugins []LockedPlugin `json:"plugins"`
	Boxes   []LockedBox    `json:"boxes"`
}

// LockedImage is an image on one architecture.
type LockedImage struct {
	Provider string   `json:"provider"`
	Image    string   `json:"image"`
	Arch     string   `json:"arch"`
	Digest   string   `json:"digest"`
	Packages []string `json:"packages"` // "NAME VERSION ARCH SHA256"
}

// Key tells images apart.
func (i LockedImage) Key() string { return i.Provider + " " + i.Image + " " + i.Arch }

// LockedPlugin is an external plugin on one architecture.
type LockedPlugin struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Arch   string `json:"arch"`
	SHA256 string `json:"sha256"` // of its binary
}

// Key tells plugins apart.
func (p LockedPlugin) Key() string { return p.Kind + " " + p.Name + " " + p.Arch }

// ErrNoLockFile means that a project has no lock.
var ErrNoLockFile = errors.New("there is no " + LockFileName)

// LoadLockFile returns the lock of the project in root, or ErrNoLockFile. The
// folder comes with a repository, so no link leads out of it.
func LoadLockFile(root string) (*LockFile, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open the project's folder: %w", err)
	}
	defer r.Close()
	b, err := r.ReadFile(LockFileName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoLockFile
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", LockFileName, err)
	}
	var l LockFile
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, fmt.Errorf("read %s: %w (a merge may have left its marks; berth lock --update writes it anew)", LockFileName, err)
	}
	if l.Version != lockVersion {
		return nil, fmt.Errorf("%s has version %d, and this Berth knows %d: update Berth, or write it anew with berth lock --update",
			LockFileName, l.Version, lockVersion)
	}
	if what := l.twice(); what != "" {
		return nil, fmt.Errorf("read %s: it has two entries for %s (a merge may have joined two locks; berth lock --update writes it anew)", LockFileName, what)
	}
	return &l, nil
}

// Save writes the lock beside the Envfile, for the owner of the project's folder.
func (l *LockFile) Save(root string) error {
	r, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("open the project's folder: %w", err)
	}
	defer r.Close()
	text, err := l.text()
	if err != nil {
		return err
	}
	folder, err := r.Stat(".")
	if err != nil {
		return fmt.Errorf("write %s: %w", LockFileName, err)
	}
	if err := Replace(r, LockFileName, text, folder, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", LockFileName, err)
	}
	return nil
}

func (l *LockFile) text() ([]byte, error) {
	l.Version = lockVersion
	slices.SortFunc(l.Images, func(a, b LockedImage) int { return strings.Compare(a.Key(), b.Key()) })
	slices.SortFunc(l.Plugins, func(a, b LockedPlugin) int { return strings.Compare(a.Key(), b.Key()) })
	slices.SortFunc(l.Boxes, func(a, b LockedBox) int { return strings.Compare(a.Box, b.Box) })
	if l.Boxes == nil {
		l.Boxes = []LockedBox{}
	}
	if l.Images == nil {
		l.Images = []LockedImage{}
	}
	if l.Plugins == nil {
		l.Plugins = []LockedPlugin{}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(l)
	return out.Bytes(), err
}

// Image returns the lock of an image, nil when there is none.
func (l *LockFile) Image(key string) *LockedImage {
	for i := range l.Images {
		if l.Images[i].Key() == key {
			return &l.Images[i]
		}
	}
	return nil
}

// Plugin returns the lock of a plugin, nil when there is none.
func (l *LockFile) Plugin(key string) *LockedPlugin {
	for i := range l.Plugins {
		if l.Plugins[i].Key() == key {
			return &l.Plugins[i]
		}
	}
	return nil
}
