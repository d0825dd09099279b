package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-dev/berth/provider/lxc/mountinfo"
)

// hierarchy is one mounted cgroup hierarchy.
type hierarchy struct {
	v2    bool
	point string // where it is mounted
}

// hierarchies says which hierarchy holds each controller of this host: all in the
// v2 one, all in v1 ones, or some in each (hybrid). A controller is in one
// hierarchy only (cgroups(7)).
type hierarchies map[string]hierarchy

// controllers are those that Berth uses, by their names in v1 and v2; blkio
// became io.
var controllers = []string{"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "io", "freezer"}

// detect looks at what is mounted.
func detect() (hierarchies, error) {
	all, err := mountinfo.All()
	if err != nil {
		return nil, err
	}
	found := hierarchies{}
	for _, m := range all {
		switch m.FSType {
		case "cgroup":
			found.add(hierarchy{point: m.Point}, m.Options)
		case "cgroup2":
			b, err := os.ReadFile(filepath.Join(m.Point, "cgroup.controllers"))
			if err != nil {
				return nil, fmt.Errorf("read the controllers of cgroup v2: %w", err)
			}
			found.add(hierarchy{v2: true, point: m.Point}, strings.Fields(string(b)))
		}
	}
	return found, nil
}

func (h hierarchies) add(one hierarchy, names []string) {
	for _, name := range names {
		if _, have := h[name]; !have && slices.Contains(controllers, name) {
			h[name] = one
		}
	}
}

// A box's cgroups: its own, its monitor's, and the one that the monitor moves to
// when it removes that, and which nobody but us removes. They are set in its
// configuration, so that they are known whatever LXC's defaults are.
func Payload(id string) string { return "berth.box." + id }
func Monitor(id string) string { return "berth.monitor." + id }
func Pivot(id string) string   { return "berth.pivot." + id }

// Box is a running box's cgroup, of which there is one in each hierarchy.
type Box struct {
	on   hierarchies
	dirs map[string]string // by controller
}

// Open finds the cgroup of a box. pid is a process in it or below it: where LXC
// put the cgroup depends on the host (at the top, or below the cgroup of whoever
// started it), and the process's own file says so.
func Open(id string, pid int) (Box, error) {
	h, err := detect()
	if err != nil {
		return Box{}, err
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return Box{}, fmt.Errorf("read the cgroups of box %s: %w: %w", id, ErrEnded, err)
	}
	return Box{h, h.parse(string(b), Payload(id))}, nil
}

// ErrEnded says that the process of a box is gone.
var ErrEnded = errors.New("it has ended")

// Check reads settings back from the kernel.
func (b Box) Check(all []Setting) error {
	var errs []error
	for _, s := range all {
		errs = append(errs, s.check(b.dirs))
	}
	return errors.Join(errs...)
}

// parse reads /proc/PID/cgroup: "4:memory:/path" for v1, "0::/path" for v2.
func (h hierarchies) parse(text, name string) map[string]string {
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
		for controller, on := range h {
			if on.v2 && parts[0] == "0" || !on.v2 && slices.Contains(strings.Split(parts[1], ","), controller) {
				dirs[controller] = filepath.Join(on.point, before, name)
			}
		}
	}
	return dirs
}

// Find returns every folder of these names in any hierarchy: at the top,
// where a session or service has its cgroup, and in the cgroups above.
func Find(names []string, above ...string) ([]string, error) {
	all, err := mountinfo.All()
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
		if m.FSType != "cgroup" && m.FSType != "cgroup2" {
			continue
		}
		for _, parent := range parents {
			for _, name := range names {
				dir := filepath.Join(m.Point, parent, name)
				if _, err := os.Stat(dir); err == nil && !slices.Contains(found, dir) {
					found = append(found, dir)
				}
			}
		}
	}
	return found, nil
}

// Remove removes an empty cgroup and those below it.
func Remove(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if os.IsNotExist(err) {
			return nil
		}
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(dir); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove cgroup: %w", err)
	}
	return nil
}

// PIDs returns the processes in a cgroup and those below it.
func PIDs(dir string) []int {
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
