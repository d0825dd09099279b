package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/berth-dev/berth/provider"
)

// Resize changes the limits of a running box in its cgroups. LXC's own
// configuration is written anew at every start, so nothing else knows of them.
func (p *lxcProvider) Resize(ctx context.Context, id string, r provider.Resources) error {
	if _, err := p.store.load(id); err != nil {
		return err
	}
	state, pid, err := p.tools.info(ctx, id)
	if err != nil {
		return err
	}
	if s := states[state]; s != provider.Running && s != provider.Frozen || pid == 0 {
		return fmt.Errorf("change the limits of box %s: %w", id, provider.ErrNotRunning)
	}
	c, err := detectCgroups()
	if err != nil {
		return err
	}
	dirs, err := c.dirs(payloadCgroup(id), pid)
	if err != nil {
		return err
	}
	device, _ := diskOf(p.store.root) // none: settings says so when a limit needs it
	reader := cgroupReader{cgroups: c, dirs: dirs}
	if err := reader.fits(r); err != nil {
		return err
	}
	if err := p.resizeDisk(id, r, false); err != nil {
		return err
	}
	before := reader.limits(device)
	err = reader.apply(r, device)
	if err == nil {
		err = p.resizeDisk(id, r, true) // last, since it cannot be undone
	}
	if err == nil {
		return ctx.Err()
	}
	if undo := reader.apply(before, device); undo != nil {
		err = errors.Join(err, fmt.Errorf("the limits could not be set back: %w", undo))
	}
	return err
}

// fits refuses a memory limit below what the box cannot give up: the kernel
// would kill processes in it (cgroup-v2.rst, "memory.max").
func (r cgroupReader) fits(want provider.Resources) error {
	if want.Memory == 0 {
		return nil
	}
	used := r.usage().Memory
	for line := range strings.Lines(r.read("memory", "memory.stat")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "file", "cache": // pages of files, by the names in v2 and v1
			n, _ := strconv.ParseInt(value, 10, 64)
			used -= n
		}
	}
	if used <= want.Memory {
		return nil
	}
	return &provider.ArgError{Arg: "box.resources.memory", Err: fmt.Errorf(
		"the box uses %d MiB that cannot be reclaimed, and processes in it would be killed: end some first", used>>20)}
}

// apply writes the limits of r, takes away all others, and reads them back.
func (r cgroupReader) apply(want provider.Resources, device string) error {
	all, err := r.cgroups.settings(want, func() (string, error) {
		if device == "" {
			return "", errors.New("the disk that holds the boxes is not one whose I/O can be limited")
		}
		return device, nil
	})
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, s := range all {
		wanted[s.file] = true
	}
	for _, s := range r.without(device) {
		// v1 takes no memory limit above the one on memory and swap together, so
		// that one always goes first.
		if wanted[s.file] && s.file != memsw {
			continue
		}
		if err := s.write(r.dirs); err != nil {
			return err
		}
	}
	for _, s := range all {
		if err := s.write(r.dirs); err != nil {
			return err
		}
	}
	var errs []error
	for _, s := range all {
		errs = append(errs, s.check(r.dirs))
	}
	return errors.Join(errs...)
}

// memsw is v1's limit on memory and swap together.
const memsw = "memory.memsw.limit_in_bytes"

// without returns what takes every limit away that this host can set.
func (r cgroupReader) without(device string) []setting {
	var all []setting
	add := func(controller, file, value string) {
		if dir := r.dirs[controller]; dir != "" {
			if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
				all = append(all, setting{controller: controller, file: file, value: value})
			}
		}
	}
	add("cpu", "cpu.max", "max")
	add("cpu", "cpu.cfs_quota_us", "-1")
	add("cpu", "cpu.weight", "100")
	add("cpu", "cpu.shares", "1024")
	add("memory", memsw, "-1")
	add("memory", "memory.limit_in_bytes", "-1")
	add("memory", "memory.swap.max", "max")
	add("memory", "memory.max", "max")
	add("pids", "pids.max", "max")
	add("io", "io.weight", "default 100")
	if parent := r.parentCPUs(); parent != "" {
		add("cpuset", "cpuset.cpus", parent)
	}
	if device != "" {
		add("io", "io.max", device+" rbps=max wbps=max riops=max wiops=max")
		for _, rate := range []string{"read_bps", "write_bps", "read_iops", "write_iops"} {
			add("blkio", "blkio.throttle."+rate+"_device", device+" 0")
		}
	}
	return all
}

// parentCPUs returns the CPUs of the cgroup above, which are all that a box
// without a limit may use. Where processes are, the list cannot be emptied.
func (r cgroupReader) parentCPUs() string {
	if r.dirs["cpuset"] == "" {
		return ""
	}
	file := "cpuset.cpus"
	if r.cgroups["cpuset"].v2 {
		file = "cpuset.cpus.effective"
	}
	b, _ := os.ReadFile(filepath.Join(filepath.Dir(r.dirs["cpuset"]), file))
	return strings.TrimSpace(string(b))
}

// write sets the limit in a running box's cgroup.
func (s setting) write(dirs map[string]string) error {
	err := os.WriteFile(filepath.Join(dirs[s.controller], s.file), []byte(s.value), 0)
	if err == nil {
		return nil
	}
	if s.arg == "" {
		return fmt.Errorf("take the limit in %s away: %w", s.file, err)
	}
	return &provider.ArgError{Arg: "box.resources." + s.arg, Err: fmt.Errorf("the kernel refuses %s = %s: %w", s.file, s.value, err)}
}
