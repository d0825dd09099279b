package lxc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-dev/berth/provider"
)

// noHostMounts checks that the host's mount table knows nothing of the test's
// folders, whose names hold that of the test.
func noHostMounts(t *testing.T) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(b), t.Name()) {
		t.Errorf("mounted on the host: %v\n%s", err, b)
	}
}

// Where folders end up: one in another, through the box's own links, and not
// where those would lead on the host.
func TestRealFolderPlaces(t *testing.T) {
	p, spec := realProvider(t)
	outer, inner, attack := ownedFolder(t, "f"), ownedFolder(t, "inner"), ownedFolder(t, "f")
	// What a box may have prepared: links to the host's folders in its own disk
	// and in a folder that it has.
	victim := t.TempDir()
	if err := errors.Join(os.Symlink(victim, outer+"/out"), os.Lchown(outer+"/out", testUID, testGID)); err != nil {
		t.Fatal(err)
	}
	startWith(t, p, &spec)
	allowed(t, p, spec.ID, "ln -s "+victim+" /srv/link", "ln -s ../../../../../../etc /srv/up", "ln -s nowhere /srv/dangling", "touch /srv/file")
	if err := p.Stop(t.Context(), spec.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	spec.Folders = []provider.Folder{
		{Source: outer, Target: "/work"}, {Source: inner, Target: "/work/deep/er"},
		{Source: attack, Target: "/srv/up/berth-test"}, {Source: inner, Target: "/work/sub"},
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	allowed(t, p, spec.ID, "test -e /work/deep/er/inner", "test -e /work/sub/inner", "test -e /etc/berth-test/f",
		"test $(stat -c %U /work/deep) = dev")
	wantOwner(t, outer+"/deep/er", testUID, testGID)
	if _, err := os.Lstat("/etc/berth-test"); err == nil {
		t.Error("a link in the box led to the host's /etc")
	}
	noHostMounts(t)
	if err := p.Stop(t.Context(), spec.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{
		"/srv/link": "/srv/link", "/srv/link/new": "leads nowhere", "/srv/dangling": "leads nowhere",
		"/work/out/x": "leads nowhere", "/srv/file/x": "remove it in the box",
	} {
		spec.Folders = []provider.Folder{{Source: outer, Target: "/work"}, {Source: inner, Target: target}}
		var bad *provider.ArgError
		if err := p.Start(t.Context(), spec, nil); !errors.As(err, &bad) || bad.Arg != "box.folder."+target || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", target, err)
		}
	}
	if entries, err := os.ReadDir(victim); err != nil || len(entries) > 0 {
		t.Errorf("the box's links led to the host: %v, %v", entries, err)
	}
	noHostMounts(t)
}

// Nothing is made for a box that cannot have its folders.
func TestRealFolderRefused(t *testing.T) {
	p, spec := realProvider(t)
	dir := ownedFolder(t, "file", "sub/")
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.Symlink("sub", link), os.Lchown(link, testUID, testGID)); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{
		dir + "/none":   "there is no folder " + dir + "/none",
		dir + "/file":   "is not a folder",
		dir + "/file/x": "not a directory",
		link:            "is a symbolic link",
		link + "/x":     link + " is a symbolic link",
		"/":             "the whole host",
		"/proc/sys":     "belongs to the host's system",
		"/var/run":      "belongs to the host's system",
		p.store.root:    "Berth's own data",
	} {
		spec.Folders = []provider.Folder{{Source: source, Target: "/work"}}
		err := p.Create(t.Context(), spec, nil)
		var bad *provider.ArgError
		if !errors.As(err, &bad) || bad.Arg != "box.folder./work" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", source, err)
		}
		if _, err := p.Inspect(t.Context(), spec.ID); !errors.Is(err, provider.ErrNotFound) {
			t.Fatalf("%s: something was made: %v", source, err)
		}
	}
}

// Folders follow the spec at each start, and none is left on the host, even when
// the box's monitor was killed.
func TestRealFolderRestart(t *testing.T) {
	p, spec := realProvider(t)
	one, two := ownedFolder(t, "one"), ownedFolder(t, "two")
	startWith(t, p, &spec, provider.Folder{Source: one, Target: "/work"})
	allowed(t, p, spec.ID, "test -e /work/one")
	killMonitor(t, spec.ID)
	if err := p.Stop(t.Context(), spec.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	noHostMounts(t)
	// One folder's filesystem can be taken away: nothing holds it.
	if err := os.Rename(one, one+"-moved"); err != nil {
		t.Fatal(err)
	}
	startWith(t, p, &spec, provider.Folder{Source: two, Target: "/work"}, provider.Folder{Source: one + "-moved", Target: "/moved", ReadOnly: true})
	allowed(t, p, spec.ID, "test -e /work/two", "test ! -e /work/one", "test -e /moved/one")
	if err := p.Stop(t.Context(), spec.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	startWith(t, p, &spec)
	allowed(t, p, spec.ID, "test -z \"$(ls -A /work)\"")
}
