package lxc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/deep"
)

// image is one that the store has; images/KEY.json.
type image struct {
	Name   string    `json:"name"`   // "debian:bookworm"
	Recipe string    `json:"recipe"` // key of what it was built from
	Layer  string    `json:"layer"`  // digest of its tree
	Size   int64     `json:"size"`   // bytes
	Built  time.Time `json:"built"`
	Origin string    `json:"origin,omitempty"` // of one that was imported: the box, and its image
	// Packages are those of the distribution, for Envfile.lock.
	Packages []provider.Package `json:"packages,omitempty"`
}

// suites are the Debian releases that boxes are made of.
var suites = []string{"bookworm", "trixie", "bullseye"}

// parseImage checks an image's name and returns its suite.
func parseImage(name string) (suite string, err error) {
	distro, suite, ok := strings.Cut(name, ":")
	if ok && distro == "debian" && slices.Contains(suites, suite) {
		return suite, nil
	}
	return "", &provider.ArgError{Arg: "box.image", Err: fmt.Errorf(
		"%w: there is no image %q; the LXC provider has debian:%s, and local:NAME for what berth image import has brought",
		provider.ErrImage, name, strings.Join(suites, ", debian:"))}
}

// image returns the image, building it if the store has none. Two processes
// that want the same one build it once: the second waits for the first.
func (p *lxcProvider) image(ctx context.Context, name string, report provider.Report) (image, error) {
	if isLocal(name) {
		return p.localImage(ctx, name, report)
	}
	suite, err := parseImage(name)
	if err != nil {
		return image{}, err
	}
	recipe := recipeKey(suite, p.Mirror)
	path := p.imageFile(suite)
	done, err := p.store.use(ctx, report)
	if err != nil {
		return image{}, err
	}
	defer done()
	if img, err := p.store.loadImage(path); err == nil {
		touch(path)
		return img, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return image{}, err
	}
	unlock, err := lockWaiting(ctx, path+".lock", func() { report.Step("wait for another berth that builds " + name) })
	if err != nil {
		return image{}, err
	}
	defer unlock()
	if img, err := p.store.loadImage(path); err == nil {
		return img, nil
	}
	report.Step("build image " + name + " (once on this host)")
	built, err := p.buildLayer(ctx, suite, recipe, report)
	if errors.Is(err, unix.ENOSPC) {
		err = fmt.Errorf("%w%s", err, diskFullHint)
	}
	if err != nil {
		return image{}, fmt.Errorf("build image %s: %w", name, err)
	}
	built.Name, built.Recipe, built.Built = name, recipe, time.Now().UTC()
	return built, writeJSON(path, built)
}

func imageFileName(suite, recipe string) string { return "debian-" + suite + "-" + recipe + ".json" }

// ImageFile returns the name of the file that records an image which this Berth
// builds from the usual mirror.
func ImageFile(name string) (string, error) {
	suite, err := parseImage(name)
	if err != nil {
		return "", err
	}
	return imageFileName(suite, recipeKey(suite, "")), nil
}

// loadImage returns a recorded image whose layer is there.
func (s store) loadImage(path string) (image, error) {
	var img image
	b, err := os.ReadFile(path)
	if err != nil {
		return img, err
	}
	if err := json.Unmarshal(b, &img); err != nil {
		return img, fmt.Errorf("read %s: %w (remove it to build the image again)", path, err)
	}
	if _, err := os.Stat(s.layer(img.Layer)); err != nil {
		return img, err
	}
	return img, nil
}

// recipeKey names what an image is built from besides its suite, so that a new
// recipe makes a new image and existing boxes keep theirs.
func recipeKey(suite, mirror string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", suite, mirror, runtime.GOARCH)
	for _, part := range recipe(suite) {
		fmt.Fprintln(h, part)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// buildLayer builds into a folder of its own and moves the finished tree to its
// digest. A leftover of a build that was killed has the same name, and goes.
func (p *lxcProvider) buildLayer(ctx context.Context, suite, recipe string, report provider.Report) (built image, err error) {
	tmp := filepath.Join(p.store.layers(), ".new-"+suite+"-"+recipe)
	if err := deep.Remove(tmp); err != nil {
		return built, err
	}
	if err := os.MkdirAll(p.store.layers(), 0o700); err != nil {
		return built, err
	}
	defer deep.Remove(tmp) // nothing is there any more after the rename
	if err := p.bootstrap(ctx, suite, tmp, report); err != nil {
		return built, err
	}
	if built.Packages, err = takePackages(tmp); err != nil {
		return built, err
	}
	report.Step("store image")
	if built.Layer, built.Size, err = treeDigest(ctx, tmp); err != nil {
		return built, err
	}
	final := p.store.layer(built.Layer)
	if _, err := os.Stat(final); err == nil {
		return built, nil // the same tree is there already
	}
	if err := syncTree(tmp); err != nil {
		return built, err
	}
	return built, os.Rename(tmp, final)
}
