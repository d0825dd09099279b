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

// Setting is one limit as the kernel takes it.
type Setting struct {
	arg        string // path of the value in the Envfile: "memory", "io.read"
	controller string // in the hierarchy that it is set in
	V2         bool
	File       string // in the box's cgroup folder
	Value      string // as written
	// found picks out of the file's content what Value must equal; nil means
	// all of it.
	found func(content string) string
	want  string // what found must return; empty means Value
}

// cpuPeriod is the kernel's default period of the CPU quota, in microseconds.
const cpuPeriod = 100_000

// pageSize is what memory limits are rounded down to.
var pageSize = int64(os.Getpagesize())

// unlimited is what v1 memory files show without a limit, rounded to pages.
const unlimited = int64(1) << 62

// Settings returns what the limits of r are on this host. root is where the boxes
// are: its disk is the one whose I/O is limited.
func Settings(r provider.Resources, root string) ([]Setting, error) {
	h, err := detect()
	if err != nil {
		return nil, err
	}
	return h.settings(r, func() (string, error) { return DiskOf(root) })
}

// settings returns what the limits of r are on a host with these hierarchies. device is the "major:minor" of the disk that holds the boxes; it is only
// asked for when r limits I/O.
func (h hierarchies) settings(r provider.Resources, device func() (string, error)) ([]Setting, error) {
	b := settingsBuilder{on: h}
	if r.CPUs > 0 {
		quota := strconv.FormatInt(int64(r.CPUs*cpuPeriod), 10)
		period := strconv.Itoa(cpuPeriod)
		if b.v2("cpu") {
			b.add("cpus", "cpu", "cpu.max", quota+" "+period)
		} else {
			b.add("cpus", "cpu", "cpu.cfs_period_us", period)
			b.add("cpus", "cpu", "cpu.cfs_quota_us", quota)
		}
	}
	if r.CPUWeight > 0 {
		if b.v2("cpu") {
			b.add("cpu_weight", "cpu", "cpu.weight", strconv.FormatInt(r.CPUWeight, 10))
		} else {
			b.add("cpu_weight", "cpu", "cpu.shares", strconv.FormatInt(sharesOf(r.CPUWeight), 10))
		}
	}
	if r.CPUSet != "" {
		b.add("cpuset", "cpuset", "cpuset.cpus", r.CPUSet)
		b.last().found, b.last().want = normalCPUSet, normalCPUSet(r.CPUSet)
	}
	b.memory(r)
	if r.PIDs > 0 {
		b.add("pids", "pids", "pids.max", strconv.FormatInt(r.PIDs, 10))
	}
	if r.IO != (provider.IO{}) {
		dev, err := device()
		if err != nil {
			return nil, &provider.ArgError{Arg: "box.resources.io", Err: err}
		}
		b.io(r.IO, dev)
	}
	return b.all, errors.Join(b.errs...)
}

// settingsBuilder collects settings, and a complaint for every controller that
// the host does not have.
type settingsBuilder struct {
	on   hierarchies
	all  []Setting
	errs []error
}

func (b *settingsBuilder) v2(controller string) bool { return b.on[controller].v2 }
func (b *settingsBuilder) last() *Setting            { return &b.all[len(b.all)-1] }

func (b *settingsBuilder) add(arg, controller, file, value string) {
	if h, ok := b.on[controller]; !ok {
		b.errs = append(b.errs, &provider.ArgError{Arg: "box.resources." + arg, Err: fmt.Errorf(
			"this host cannot limit it: its kernel has no cgroup controller %q mounted", controller)})
		b.all = append(b.all, Setting{}) // for last
	} else {
		b.all = append(b.all, Setting{arg: arg, controller: controller, V2: h.v2, File: file, Value: value})
	}
}

func (b *settingsBuilder) memory(r provider.Resources) {
	memory := r.Memory / pageSize * pageSize
	if memory > 0 {
		file := "memory.limit_in_bytes"
		if b.v2("memory") {
			file = "memory.max"
		}
		b.add("memory", "memory", file, strconv.FormatInt(memory, 10))
	}
	if r.Swap == nil {
		return
	}
	swap := *r.Swap / pageSize * pageSize
	switch {
	case b.v2("memory"):
		b.add("swap", "memory", "memory.swap.max", strconv.FormatInt(swap, 10))
	case memory == 0:
		b.errs = append(b.errs, &provider.ArgError{Arg: "box.resources.swap", Err: errors.New(
			"this host has cgroup v1, where swap can only be limited together with memory: set memory as well")})
	default:
		// v1 limits memory and swap as one sum.
		b.add("swap", "memory", "memory.memsw.limit_in_bytes", strconv.FormatInt(memory+swap, 10))
	}
}

// io adds the I/O limits. v2 keeps all rates of a device in one line of one
// file; v1 has a file for each.
func (b *settingsBuilder) io(io provider.IO, device string) {
	rates := []struct {
		arg, v2, v1 string
		value       int64
	}{
		{"io.read", "rbps", "blkio.throttle.read_bps_device", io.Read},
		{"io.write", "wbps", "blkio.throttle.write_bps_device", io.Write},
		{"io.read_iops", "riops", "blkio.throttle.read_iops_device", io.ReadIOPS},
		{"io.write_iops", "wiops", "blkio.throttle.write_iops_device", io.WriteIOPS},
	}
	_, v2 := b.on["io"]
	for _, rate := range rates {
		if rate.value == 0 {
			continue
		}
		n := strconv.FormatInt(rate.value, 10)
		if v2 {
			b.add(rate.arg, "io", "io.max", device+" "+rate.v2+"="+n)
			b.last().found = func(content string) string { return deviceRate(content, device, rate.v2) }
		} else {
			b.add(rate.arg, "blkio", rate.v1, device+" "+n)
			b.last().found = func(content string) string { return deviceRate(content, device, "") }
		}
		b.last().want = n
	}
	if io.Weight > 0 {
		n := strconv.FormatInt(io.Weight, 10)
		if v2 {
			b.add("io.weight", "io", "io.weight", "default "+n)
			b.last().found = func(content string) string { return deviceRate(content, "default", "") }
			b.last().want = n
		} else {
			b.add("io.weight", "blkio", "blkio.bfq.weight", n)
		}
	}
}

// check reads the setting back from the box's cgroup folder.
func (s Setting) check(dirs map[string]string) error {
	want := s.want
	if want == "" {
		want = s.Value
	}
	found := "nothing"
	b, err := os.ReadFile(filepath.Join(dirs[s.controller], s.File))
	if err == nil {
		found = strings.TrimSpace(string(b))
		if s.found != nil {
			found = s.found(found)
		}
	}
	if found == want {
		return nil
	}
	if err != nil {
		return &provider.ArgError{Arg: "box.resources." + s.arg,
			Err: fmt.Errorf("wanted %s = %s, but it cannot be read back: %w", s.File, want, err)}
	}
	return &provider.ArgError{Arg: "box.resources." + s.arg,
		Err: fmt.Errorf("wanted %s = %s, but the kernel has %s", s.File, want, found)}
}
