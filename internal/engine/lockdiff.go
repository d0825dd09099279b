package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/berth-dev/berth/internal/state"
)

// Difference is one thing that is not as Envfile.lock has it.
type Difference struct {
	What string // `image "debian:bookworm"`, `provider plugin "local"`
	Text string // how they differ
	New  bool   // the lock has nothing of it
	Gone bool   // the Envfile has nothing of it any more
}

func (d Difference) String() string { return d.What + ": " + d.Text }

// compare tells how what there is differs from a lock. What the lock has of
// other architectures is not for this host to judge.
func compare(lock, now *state.LockFile, arch string) []Difference {
	var all []Difference
	for _, i := range now.Images {
		what := fmt.Sprintf("image %q", i.Image)
		switch locked := lock.Image(i.Key()); {
		case locked == nil:
			all = append(all, Difference{What: what, Text: "it is not locked for " + i.Arch, New: true})
		case locked.Digest != i.Digest:
			all = append(all, Difference{What: what, Text: compareImages(*locked, i)})
		}
	}
	for _, p := range now.Plugins {
		what := fmt.Sprintf("%s plugin %q", p.Kind, p.Name)
		switch locked := lock.Plugin(p.Key()); {
		case locked == nil:
			all = append(all, Difference{What: what, Text: "it is not locked for " + p.Arch, New: true})
		case locked.SHA256 != p.SHA256:
			all = append(all, Difference{What: what, Text: fmt.Sprintf("its sha256 is %s, and the lock has %s", p.SHA256, locked.SHA256)})
		}
	}
	all = append(all, compareSteps(lock, now)...)
	return append(all, gone(lock, now, arch)...)
}

// gone are what the lock has of this architecture and the Envfile does not use.
func gone(lock, now *state.LockFile, arch string) []Difference {
	const text = "it is locked, and the Envfile does not use it"
	var all []Difference
	for _, i := range lock.Images {
		if i.Arch == arch && now.Image(i.Key()) == nil {
			all = append(all, Difference{What: fmt.Sprintf("image %q", i.Image), Text: text, Gone: true})
		}
	}
	for _, p := range lock.Plugins {
		if p.Arch == arch && now.Plugin(p.Key()) == nil {
			all = append(all, Difference{What: fmt.Sprintf("%s plugin %q", p.Kind, p.Name), Text: text, Gone: true})
		}
	}
	for _, b := range lock.Boxes {
		if now.Box(b.Box) == nil {
			all = append(all, Difference{What: fmt.Sprintf("box %q", b.Box), Text: "its steps are locked, and the Envfile does not have it", Gone: true})
		}
	}
	return all
}

// fewPackages is how many differing packages are named one by one.
const fewPackages = 10

// compareImages says how an image differs from the locked one.
func compareImages(locked, now state.LockedImage) string {
	was, is := versions(locked.Packages), versions(now.Packages)
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(was)) {
		switch v, there := is[name]; {
		case !there:
			differ = append(differ, name+" is missing")
		case v != was[name]:
			differ = append(differ, fmt.Sprintf("%s is %s, locked is %s", name, v, was[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if _, there := was[name]; !there {
			differ = append(differ, name+" is new")
		}
	}
	text := fmt.Sprintf("its digest is %s, and the lock has %s", short(now.Digest), short(locked.Digest))
	switch n := len(differ); {
	case n == 0 && len(was) > 0:
		return text + "; its packages are the same, so it was built otherwise: with another version of Berth or of mmdebstrap"
	case n > fewPackages:
		differ = append(differ[:fewPackages], fmt.Sprintf("and %d more", n-fewPackages))
	case n == 0:
		return text
	}
	return text + "\n  " + strings.Join(differ, "\n  ")
}

// versions takes a lock's lines of packages apart: what a package is called to
// what it is. A package can be there for several architectures.
func versions(packages []string) map[string]string {
	all := map[string]string{}
	for _, line := range packages {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		name, what := fields[0], fields[1]
		if _, twice := all[name]; twice {
			name += ":" + fields[2]
		}
		if len(fields) > 3 {
			what += " (" + short(fields[3]) + ")"
		}
		all[name] = what
	}
	return all
}

// short shortens a hash for people.
func short(hash string) string {
	kind, digits, ok := strings.Cut(hash, ":")
	if !ok {
		kind, digits = "", hash
	} else {
		kind += ":"
	}
	return kind + digits[:min(12, len(digits))]
}
