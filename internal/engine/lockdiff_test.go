package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/internal/state"
)

func TestCompareLocks(t *testing.T) {
	image := func(name, arch, digest string, packages ...string) state.LockedImage {
		return state.LockedImage{Provider: "lxc", Image: name, Arch: arch, Digest: "sha256:" + digest, Packages: packages}
	}
	lock := &state.LockFile{
		Images: []state.LockedImage{
			image("same", "amd64", "11"), image("other", "amd64", "22", "a 1 all ff", "b 1 all ff", "c 1 all ff", "m 1 amd64 0", "m 1 i386 0"),
			image("rebuilt", "amd64", "33", "a 1 all ff"), image("unused", "amd64", "44"), image("unused", "arm64", "55"),
		},
		Plugins: []state.LockedPlugin{{Kind: "provider", Name: "p", Arch: "amd64", SHA256: "aa"}, {Kind: "provider", Name: "q", Arch: "amd64"}},
		Boxes:   []state.LockedBox{{Box: "a", Steps: []state.LockedStep{{Step: "s"}}}, {Box: "b"}},
	}
	now := &state.LockFile{
		Images: []state.LockedImage{
			image("same", "amd64", "11"), image("new", "amd64", "66"), image("rebuilt", "amd64", "77", "a 1 all ff"),
			image("other", "amd64", "88", "a 2 all ff", "c 1 all ee", "d 1 all ff", "m 1 amd64 0", "m 2 i386 0"),
		},
		Plugins: []state.LockedPlugin{{Kind: "provider", Name: "p", Arch: "amd64", SHA256: "bb"}, {Kind: "provisioner", Name: "q", Arch: "amd64"}},
		Boxes:   []state.LockedBox{{Box: "a", Steps: []state.LockedStep{{Step: "s", Run: "once"}}}},
	}
	want := []Difference{
		{What: `image "new"`, Text: "it is not locked for amd64", New: true},
		{What: `image "rebuilt"`, Text: "its digest is sha256:77, and the lock has sha256:33; its packages are the same, so it was built otherwise: " +
			"with another version of Berth or of mmdebstrap"},
		{What: `image "other"`, Text: "its digest is sha256:88, and the lock has sha256:22\n  a is 2 (ff), locked is 1 (ff)\n  b is missing\n" +
			"  c is 1 (ee), locked is 1 (ff)\n  m:i386 is 2 (0), locked is 1 (0)\n  d is new"},
		{What: `provider plugin "p"`, Text: "its sha256 is bb, and the lock has aa"},
		{What: `provisioner plugin "q"`, Text: "it is not locked for amd64", New: true},
		{What: `step "s" of box "a"`, Text: `run is "once", locked is ""`},
		{What: `image "unused"`, Text: "it is locked, and the Envfile does not use it", Gone: true},
		{What: `provider plugin "q"`, Text: "it is locked, and the Envfile does not use it", Gone: true},
		{What: `box "b"`, Text: "its steps are locked, and the Envfile does not have it", Gone: true},
	}
	if diff := cmp.Diff(want, compare(lock, now, "amd64")); diff != "" {
		t.Error(diff)
	}
	if d := compare(lock, lock, "amd64"); len(d) != 0 {
		t.Errorf("a lock differs from itself: %v", d)
	}
}

func TestManyPackagesDiffer(t *testing.T) {
	var old, now state.LockedImage
	for i := range 13 {
		old.Packages = append(old.Packages, fmt.Sprintf("p%02d 1 all", i))
		now.Packages = append(now.Packages, fmt.Sprintf("p%02d 2 all", i))
	}
	text := compareImages(old, now)
	if !strings.Contains(text, "p09 is 2") || strings.Contains(text, "p10") || !strings.HasSuffix(text, "\n  and 3 more") {
		t.Error(text)
	}
}
