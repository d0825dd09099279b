package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/berth-dev/berth/provider"
)

// Fits refuses a memory limit below what the box cannot give up: the kernel
// would kill processes in it (cgroup-v2.rst, "memory.max").
func (b Box) Fits(want provider.Resources) error {
	if want.Memory == 0 {
		return nil
	}
	used := b.Usage().Memory
	for line := range strings.Lines(b.read("memory", "memory.stat")) {
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

// Apply writes the limits that are wanted, takes away all others, and reads them back.
func (b Box) Apply(want provider.Resources, device string) error {
	all, err := b.on.settings(want, func() (string, error) {
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
		wanted[s.File] = true
	}
	for _, s := range b.without(device) {
		// v1 takes no memory limit above the one on memory and swap together, so
		// that one always goes first.
		if wanted[s.File] && s.File != memsw {
			continue
		}
		if err := s.write(b.dirs); err != nil {
			return err
		}
	}
	for _, s := range all {
		if err := s.write(b.dirs); err != nil {
			return err
		}
	}
	return b.Check(all)
}

// memsw is v1's limit on memory and swap together.
const memsw = "memory.memsw.limit_in_bytes"

// without returns what takes every limit away that this host can set.
func (b Box) without(device string) []Setting {
	var all []Setting
	add := func(controller, file, value string) {
		if dir := b.dirs[controller]; dir != "" {
			if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
				all = append(all, Setting{controller: controller, File: file, Value: value})
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
	if parent := b.parentCPUs(); parent != "" {
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
func (b Box) parentCPUs() string {
	if b.dirs["cpuset"] == "" {
		return ""
	}
	file := "cpuset.cpus"
	if b.on["cpuset"].v2 {
		file = "cpuset.cpus.effective"
	}
	text, _ := os.ReadFile(filepath.Join(filepath.Dir(b.dirs["cpuset"]), file))
	return strings.TrimSpace(string(text))
}

// write sets the limit in a running box's cgroup.
func (s Setting) write(dirs map[string]string) error {
	err := os.WriteFile(filepath.Join(dirs[s.controller], s.File), []byte(s.Value), 0)
	if err == nil {
		return nil
	}
	if s.arg == "" {
		return fmt.Errorf("take the limit in %s away: %w", s.File, err)
	}
	return &provider.ArgError{Arg: "box.resources." + s.arg, Err: fmt.Errorf("the kernel refuses %s = %s: %w", s.File, s.Value, err)}
}
