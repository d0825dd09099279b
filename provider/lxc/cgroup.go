package lxc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// hierarchy is one mounted cgroup hierarchy.
type hierarchy struct {
	v2    bool
	point string // where it is mounted
}

// cgroups says which hierarchy holds each controller of this host: all in the
// v2 one, all in v1 ones, or some in each (hybrid). A controller is in one
// hierarchy only (cgroups(7)).
type cgroups map[string]hierarchy

// controllers are those that Berth uses, by their names in v1 and v2; blkio
// became io.
var controllers = []string{"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "io", "freezer"}

// detectCgroups looks at what is mounted.
func detectCgroups() (cgroups, error) {
	all, err := mounts()
	if err != nil {
		return nil, err
	}
	found := cgroups{}
	for _, m := range all {
		switch m.fsType {
		case "cgroup":
			found.add(hierarchy{point: m.point}, m.options)
		case "cgroup2":
			b, err := os.ReadFile(filepath.Join(m.point, "cgroup.controllers"))
			if err != nil {
				return nil, fmt.Errorf("read the controllers of cgroup v2: %w", err)
			}
			found.add(hierarchy{v2: true, point: m.point}, strings.Fields(string(b)))
		}
	}
	return found, nil
}

func (c cgroups) add(h hierarchy, names []string) {
	for _, name := range names {
		if _, have := c[name]; !have && slices.Contains(controllers, name) {
			c[name] = h
		}
	}
}

// A box's cgroups: its own, its monitor's, and the one that the monitor moves to
// when it removes that, and which nobody but us removes. They are set in its
// configuration, so that they are known whatever LXC's defaults are.
func payloadCgroup(id string) string { return "berth.box." + id }
func monitorCgroup(id string) string { return "berth.monitor." + id }
func pivotCgroup(id string) string   { return "berth.pivot." + id }

// dirs returns the folders of a cgroup by controller. pid is a process in it or
// below it: where LXC put the cgroup depends on the host (at the top, or below
// the cgroup of whoever started it), and the process's own file says so.
func (c cgroups) dirs(name string, pid int) (map[string]string, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, fmt.Errorf("read the cgroups of process %d: %w", pid, err)
	}
	return c.parse(string(b), name), nil
}

// parse reads /proc/PID/cgroup: "4:memory:/path" for v1, "0::/path" for v2.
func (c cgroups) parse(text, name string) map[string]string {
	dirs := map[string]string{}
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		before, _, ok := strings.Cut(parts[2]+"/", "/"+name+"/")
		if !ok {
			continue
		}
		for controller, h := range c {
			if h.v2 && parts[0] == "0" || !h.v2 && slices.Contains(strings.Split(parts[1], ","), controller) {
				dirs[controller] = filepath.Join(h.point, before, name)
			}
		}
	}
	return dirs
}

// cgroups returns those of a box's cgroups that are there, of the names given. It
// needs no process of the box: root's box has them at the top or below this
// process's own, and where a user's has them, its last start has written down.
func (s store) cgroups(id string, names ...string) ([]string, error) {
	above, err := s.above(id)
	if err != nil {
		return nil, err
	}
	return findCgroups(names, above)
}

// above returns the cgroup above a user's box's own, as in /proc/PID/cgroup; empty
// for root's boxes and those that have never started.
func (s store) above(id string) (string, error) {
	b, err := os.ReadFile(s.file(id, "cgroup"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read where the cgroups of box %s are: %w", id, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// findCgroups returns every folder of these names in any hierarchy: at the top,
// where a session or service has its cgroup, and in the cgroups above.
func findCgroups(names []string, above ...string) ([]string, error) {
	all, err := mounts()
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("read own cgroups: %w", err)
	}
	parents := append([]string{"/"}, above...)
	for line := range strings.Lines(string(own)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && !slices.Contains(parents, parts[2]) {
			parents = append(parents, parts[2])
		}
	}
	var found []string
	for _, m := range all {
		if m.fsType != "cgroup" && m.fsType != "cgroup2" {
			continue
		}
		for _, parent := range parents {
			for _, name := range names {
				dir := filepath.Join(m.point, parent, name)
				if _, err := os.Stat(dir); err == nil && !slices.Contains(found, dir) {
					found = append(found, dir)
				}
			}
		}
	}
	return found, nil
}

// removeCgroup removes an empty cgroup and those below it.
func removeCgroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if os.IsNotExist(err) {
			return nil
		}
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeCgroup(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(dir); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove cgroup: %w", err)
	}
	return nil
}

// cgroupPIDs returns the processes in a cgroup and those below it.
func cgroupPIDs(dir string) []int {
	var pids []int
	_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil // it went meanwhile
		}
		b, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for _, field := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}
