package hostcheck

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

var cgroupChecks = []Check{
	{Code: "BRT-CGR-01", Chain: "cgroups", Name: "mounted", Try: cgroupsMounted},
	{Code: "BRT-CGR-02", Chain: "cgroups", Name: "controllers", Try: cgroupControllers},
	{Code: "BRT-CGR-03", Chain: "cgroups", Name: "delegation", For: rootless, Try: delegation},
}

// limited are the controllers that the most used limits need.
var limited = []string{"cpu", "memory", "pids"}

// hierarchies are the mounted cgroup hierarchies.
type hierarchies struct {
	v1 map[string]string // controller -> mount point
	v2 string            // mount point; empty: none
	in []string          // controllers of v2
}

func (e Env) hierarchies() hierarchies {
	h := hierarchies{v1: map[string]string{}}
	for line := range strings.Lines(e.text("/proc/self/mountinfo")) {
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		switch right[0] {
		case "cgroup":
			for _, option := range strings.Split(right[2], ",") {
				h.v1[option] = left[4]
			}
		case "cgroup2":
			h.v2 = left[4]
			h.in = strings.Fields(e.text(filepath.Join(h.v2, "cgroup.controllers")))
		}
	}
	return h
}

func (h hierarchies) String() string {
	var all []string
	for _, c := range limited {
		switch {
		case slices.Contains(h.in, c):
			all = append(all, c+" in v2")
		case h.v1[c] != "":
			all = append(all, c+" in v1")
		default:
			all = append(all, "no "+c)
		}
	}
	return strings.Join(all, ", ")
}

func cgroupsMounted(_ context.Context, e Env) Result {
	h := e.hierarchies()
	if h.v2 == "" && len(h.v1) == 0 {
		return broken("no cgroup filesystem in /proc/self/mountinfo", "no cgroup hierarchy is mounted, and LXC starts nothing without",
			"mount -t cgroup2 cgroup2 /sys/fs/cgroup")
	}
	if h.v2 == "" {
		return good("v1")
	}
	if len(h.v1) > 0 {
		return good("v1 and v2")
	}
	return good("v2 at " + h.v2)
}

func cgroupControllers(_ context.Context, e Env) Result {
	h := e.hierarchies()
	var missing []string
	for _, c := range limited {
		if !slices.Contains(h.in, c) && h.v1[c] == "" {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		return weak(h.String(), "the kernel has no cgroup controller "+strings.Join(missing, ", ")+": boxes with such limits cannot start",
			"Take cgroup_disable= off the kernel's command line, or add cgroup_enable="+missing[0]+", and reboot.")
	}
	return good(h.String())
}

// delegation looks for each controller whether the user has a cgroup of his own:
// in v2 below his systemd manager, in v1 that of this process.
func delegation(_ context.Context, e Env) Result {
	h := e.hierarchies()
	own := fmt.Sprintf("user.slice/user-%d.slice/user@%[1]d.service", e.UID)
	given := strings.Fields(e.text(filepath.Join(h.v2, own, "cgroup.controllers")))
	var missing []string
	for _, c := range limited {
		switch {
		case slices.Contains(h.in, c):
			if !slices.Contains(given, c) {
				missing = append(missing, c+" (v2)")
			}
		case h.v1[c] != "" && !e.Writable(filepath.Join(h.v1[c], e.ownCgroup(c))) &&
			!e.Writable(filepath.Join(h.v1[c], fmt.Sprintf("berth.user.%d", e.UID))): // what setup makes
			missing = append(missing, c+" (v1)")
		}
	}
	if len(missing) > 0 {
		return broken("not delegated: "+strings.Join(missing, ", "),
			"the user may not limit boxes by "+strings.Join(missing, ", ")+", since nobody has given him these controllers", setup)
	}
	return good(strings.Join(limited, ", "))
}

// ownCgroup is where this process is in the v1 hierarchy of a controller.
func (e Env) ownCgroup(controller string) string {
	for line := range strings.Lines(e.text("/proc/self/cgroup")) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && slices.Contains(strings.Split(parts[1], ","), controller) {
			return parts[2]
		}
	}
	return "/"
}
