package lxc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/berth-dev/berth/provider"
)

// setting is one limit as the kernel takes it.
type setting struct {
	arg        string // path of the value in the Envfile: "memory", "io.read"
	controller string // in the hierarchy that it is set in
	v2         bool
	file       string // in the box's cgroup folder
	value      string // as written
	// found picks out of the file's content what value must equal; nil means
	// all of it.
	found func(content string) string
	want  string // what found must return; empty means value
}

// cpuPeriod is the kernel's default period of the CPU quota, in microseconds.
const cpuPeriod = 100_000

// pageSize is what memory limits are rounded down to.
var pageSize = int64(os.Getpagesize())

// unlimited is what v1 memory files show without a limit, rounded to pages.
const unlimited = int64(1) << 62

// settings returns what the limits of r are on a host with the hierarchies of
// c. device is the "major:minor" of the disk that holds the boxes; it is only
// asked for when r limits I/O.
func (c cgroups) settings(r provider.Resources, device func() (string, error)) ([]setting, error) {
	b := settingsBuilder{cgroups: c}
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
	cgroups cgroups
	all     []setting
	errs    []error
}

func (b *settingsBuilder) v2(controller string) bool { return b.cgroups[controller].v2 }
func (b *settingsBuilder) last() *setting            { return &b.all[len(b.all)-1] }

func (b *settingsBuilder) add(arg, controller, file, value string) {
	if h, ok := b.cgroups[controller]; !ok {
		b.errs = append(b.errs, &provider.ArgError{Arg: "box.resources." + arg, Err: fmt.Errorf(
			"this host cannot limit it: its kernel has no cgroup controller %q mounted", controller)})
		b.all = append(b.all, setting{}) // for last
	} else {
		b.all = append(b.all, setting{arg: arg, controller: controller, v2: h.v2, file: file, value: value})
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
	_, v2 := b.cgroups["io"]
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

// sharesOf converts a weight of 1 to 10000 with default 100 to v1's shares of 2
// to 262144 with default 1024.
func sharesOf(weight int64) int64 { return max(2, weight*1024/100) }

func weightOf(shares int64) int64 { return max(1, (shares*100+1023)/1024) }

// normalCPUSet writes a list of CPUs as the kernel does: sorted ranges.
func normalCPUSet(list string) string {
	set := map[int]bool{}
	top := -1
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err1 := strconv.Atoi(strings.TrimSpace(from))
		z, err2 := a, error(nil)
		if isRange {
			z, err2 = strconv.Atoi(strings.TrimSpace(to))
		}
		if err1 != nil || err2 != nil || z > 1<<16 {
			return list // not a list of CPUs: compare it as it is
		}
		for i := a; i <= z; i++ {
			set[i] = true
		}
		top = max(top, z)
	}
	var out []string
	for i := 0; i <= top; i++ {
		if !set[i] {
			continue
		}
		first := i
		for set[i+1] {
			i++
		}
		if first == i {
			out = append(out, strconv.Itoa(i))
		} else {
			out = append(out, fmt.Sprintf("%d-%d", first, i))
		}
	}
	return strings.Join(out, ",")
}

// deviceRate finds in lines such as "8:0 rbps=1 wbps=max" the value of key for
// a device, or with an empty key the first word after it.
func deviceRate(content, device, key string) string {
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != device {
			continue
		}
		if key == "" {
			return fields[1]
		}
		for _, f := range fields[1:] {
			if name, value, _ := strings.Cut(f, "="); name == key {
				return value
			}
		}
	}
	return "no limit"
}

// check reads the setting back from the box's cgroup folder.
func (s setting) check(dirs map[string]string) error {
	want := s.want
	if want == "" {
		want = s.value
	}
	found := "nothing"
	b, err := os.ReadFile(filepath.Join(dirs[s.controller], s.file))
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
			Err: fmt.Errorf("wanted %s = %s, but it cannot be read back: %w", s.file, want, err)}
	}
	return &provider.ArgError{Arg: "box.resources." + s.arg,
		Err: fmt.Errorf("wanted %s = %s, but the kernel has %s", s.file, want, found)}
}
