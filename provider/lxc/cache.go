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

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// The boxes of a project share the packages that they have downloaded, in a
// folder of the store that is mounted in each. Not as /var/cache/apt/archives
// itself: two apts there would be in each other's way, since one locks it and
// the other does not wait. Instead apt's own hooks call a script of the image,
// which links what is there before a download and adds what is new after it.
// Only boxes of one project share a folder, since apt takes a package that is
// there already for the one that it would download.
const (
	cacheTarget = "/var/cache/berth/apt"
	cacheScript = "usr/local/lib/berth/package-cache"
	// cacheAge is how long a package is kept that no box has taken or brought.
	cacheAge = 60 * 24 * time.Hour
)

// aptHooks call the script. Update::Post-Invoke-Success comes before a download
// and Pre-Invoke between it and the installation (apt.conf(5)).
const aptHooks = `# Written by Berth: the boxes of a project share packages.
APT::Update::Post-Invoke-Success { "/` + cacheScript + ` take || true"; };
DPkg::Pre-Invoke { "/` + cacheScript + ` give || true"; };
`

const cacheShell = `#!/bin/sh
# Written by Berth: shares packages with the other boxes of the project.
cache=` + cacheTarget + ` archives=/var/cache/apt/archives
[ -w "$cache" ] || exit 0
case $1 in
take)
	for deb in "$cache"/*.deb; do
		[ -e "$deb" ] && [ ! -e "$archives/${deb##*/}" ] && ln -sf "$deb" "$archives/"
	done
	;;
give)
	for deb in "$archives"/*.deb; do
		if [ -L "$deb" ]; then
			touch -c "$deb"
		elif [ -f "$deb" ] && [ ! -e "$cache/${deb##*/}" ]; then
			new=$(mktemp "$cache/.new-XXXXXXXX") || exit 0
			cp "$deb" "$new" && chmod 644 "$new" && mv -n "$new" "$cache/${deb##*/}"
			rm -f "$new"
		fi
	done
	;;
esac
exit 0
`

func (s store) cache(projectID string) string {
	return filepath.Join(s.root, "cache", filepath.Base(projectID), "apt")
}

// openCache returns the project's packages as a tree to mount, its folder being
// the box's root's.
func (p *lxcProvider) openCache(ctx context.Context, projectID string, idBase uint32) (tree, error) {
	done, err := p.store.use(ctx, nil)
	if err != nil {
		return tree{}, err
	}
	defer done()
	dir := p.store.cache(projectID)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return tree{}, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return tree{}, err
	}
	source, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return tree{}, fmt.Errorf("open the packages of the project: %w", err)
	}
	defer source.Close()
	if err := os.Chown(dir, sharedIDBase, sharedIDBase); err != nil {
		return tree{}, err
	}
	folder := provider.Folder{Source: dir, Target: cacheTarget}
	namespaces := map[folderOwner]*os.File{}
	mount, err := cloneFolder(ctx, folder, source, idBase, namespaces)
	for _, ns := range namespaces {
		ns.Close()
	}
	return tree{folder, mount}, err
}

// pruneCache removes packages that nobody has wanted for long, and what a box
// that died has left half copied. A box's root owns the folder: nothing in it is
// followed.
func (s store) pruneCache(projectID string, now time.Time) error {
	root, err := os.OpenRoot(s.cache(projectID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	entries, err := readDirIn(root, ".")
	for _, e := range entries {
		st, statErr := root.Lstat(e.Name())
		if statErr != nil {
			continue // a box has just removed it
		}
		age := now.Sub(st.ModTime())
		if age > cacheAge || strings.HasPrefix(e.Name(), ".new-") && age > 24*time.Hour {
			err = errors.Join(err, removeIn(root, e.Name()))
		}
	}
	return err
}
