package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/berth-dev/berth/provider"
)

// An image is a file with a line "NAME VERSION" for each package. Boxes have
// nothing of it: it is there to be locked.
func imageFile(name string) string {
	return filepath.Join(provider.DataDir(), "images", strings.ReplaceAll(name, "/", "%"))
}

// FetchImage makes the file, for which others would use the network.
func (l *local) FetchImage(_ context.Context, name string, report provider.Report) error {
	path := imageFile(name)
	if isThere(path) {
		return nil
	}
	report.Step("fetch image " + name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte("base 1.0\n"), 0o644)
}

// Image tells what the file has.
func (l *local) Image(_ context.Context, name string) (provider.Image, error) {
	text, err := os.ReadFile(imageFile(name))
	if errors.Is(err, os.ErrNotExist) {
		return provider.Image{}, fmt.Errorf("image %q has not been fetched: %w", name, provider.ErrImage)
	}
	if err != nil {
		return provider.Image{}, err
	}
	img := provider.Image{Name: name, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(text)), Arch: runtime.GOARCH}
	for line := range strings.Lines(string(text)) {
		if pkg, version, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			img.Packages = append(img.Packages, provider.Package{Name: pkg, Version: version, Arch: "all"})
		}
	}
	return img, nil
}
