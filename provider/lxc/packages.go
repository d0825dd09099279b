package lxc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/berth-dev/berth/provider"
)

// buildEpoch is the time that building an image takes for now, as seconds
// (reproducible-builds.org, SOURCE_DATE_EPOCH): with it two builds of the same
// packages differ in nothing that finishImage leaves. It shows as the day of the
// last change of passwords, so it is a day that has been, and not the first of 1970,
// which means that a password has to be changed.
const buildEpoch = "1735689600" // 2025-01-01

// packagesFile is where the build leaves what it knows of the packages, while
// apt's lists are still there. It does not stay in the image.
const packagesFile = "var/cache/berth-packages"

// maxPackages bounds it; a desktop's packages have a few MiB.
const maxPackages = 256 << 20

// packagesHook asks apt for exactly the installed versions. The words are fixed:
// no data gets into it.
const packagesHook = `chroot "$1" sh -c 'apt-cache show $(dpkg-query -W -f "\${Package}:\${Architecture}=\${Version} ")' >"$1/` + packagesFile + `"`

// takePackages returns the image's packages and removes the file they are in.
func takePackages(dir string) ([]provider.Package, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	text, err := readFileIn(root, packagesFile, maxPackages)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the image's packages: %w", err)
	}
	return parsePackages(text), root.Remove(packagesFile)
}

// parsePackages reads what apt-cache show writes (deb-control(5)).
func parsePackages(text []byte) []provider.Package {
	var all []provider.Package
	var p provider.Package
	flush := func() {
		if p.Name != "" && !slices.Contains(all, p) { // a version can be in two lists
			all = append(all, p)
		}
		p = provider.Package{}
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if lines.Text() == "" {
			flush()
		}
		switch key, value, _ := strings.Cut(lines.Text(), ": "); key {
		case "Package":
			p.Name = value
		case "Version":
			p.Version = value
		case "Architecture":
			p.Arch = value
		case "SHA256":
			p.SHA256 = value
		}
	}
	flush()
	slices.SortFunc(all, func(a, b provider.Package) int {
		return strings.Compare(a.Name+" "+a.Arch+" "+a.Version, b.Name+" "+b.Arch+" "+b.Version)
	})
	return all
}

// signedBy is what mmdebstrap puts into sources.list on hosts whose own apt does
// not know Debian's keys. A box knows them.
const signedBy = `(?m)^(deb) \[signed-by=[^\]]*\] `

// sameSources makes sources.list the same whatever the host's apt knows.
func sameSources(root *os.Root) error {
	const name = "etc/apt/sources.list"
	text, err := readFileIn(root, name, maxSeedText)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return writeIn(root, name, regexp.MustCompile(signedBy).ReplaceAllString(string(text), "$1 "), 0o644)
}

// FetchImage builds the image, if the store has none.
func (p *lxcProvider) FetchImage(ctx context.Context, name string, report provider.Report) error {
	_, err := p.image(ctx, name, report)
	return err
}

// Image returns what the store has.
func (p *lxcProvider) Image(_ context.Context, name string) (provider.Image, error) {
	path, err := p.imagePath(name)
	if err != nil {
		return provider.Image{}, err
	}
	img, err := p.store.loadImage(path)
	if errors.Is(err, fs.ErrNotExist) {
		return provider.Image{}, fmt.Errorf("image %s has not been built or imported on this host yet: %w", name, provider.ErrImage)
	}
	return provider.Image{Name: name, Digest: "sha256:" + img.Layer, Arch: runtime.GOARCH, Packages: img.Packages}, err
}

// imageFile is where the store has the image of a suite, as it would be built
// now.
func (p *lxcProvider) imageFile(suite string) string {
	return filepath.Join(p.store.images(), imageFileName(suite, recipeKey(suite, p.Mirror)))
}
