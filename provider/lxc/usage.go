package lxc

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/berth-dev/berth/provider"
)

// cgroupReader reads the files of one box's cgroups.
type cgroupReader struct {
	cgroups cgroups
	dirs    map[string]string // by controller
}

// read returns a file's content, "" when it is not there.
func (r cgroupReader) read(controller, file string) string {
	b, err := os.ReadFile(filepath.Join(r.dirs[controller], file))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// number returns the number in a file; 0 for "max" and for a file not there.
func (r cgroupReader) number(controller, file string) int64 {
	n, err := strconv.ParseInt(r.read(controller, file), 10, 64)
	if err != nil || n < 0 || n >= unlimited {
		return 0
	}
	return n
}

// usage returns what the box uses now.
func (r cgroupReader) usage() provider.Usage {
	u := provider.Usage{PIDs: r.number("pids", "pids.current")}
	if r.cgroups["cpu"].v2 {
		for line := range strings.Lines(r.read("cpu", "cpu.stat")) {
			if us, ok := strings.CutPrefix(line, "usage_usec "); ok {
				n, _ := strconv.ParseInt(strings.TrimSpace(us), 10, 64)
				u.CPU = time.Duration(n) * time.Microsecond
			}
		}
	} else {
		u.CPU = time.Duration(r.number("cpuacct", "cpuacct.usage"))
	}
	if r.cgroups["memory"].v2 {
		u.Memory = r.number("memory", "memory.current")
		u.Swap = r.number("memory", "memory.swap.current")
	} else {
		u.Memory = r.number("memory", "memory.usage_in_bytes")
		u.Swap = max(0, r.number("memory", "memory.memsw.usage_in_bytes")-u.Memory)
	}
	return u
}

// limits returns the limits as the kernel has them. device is the disk whose
// I/O limits are of interest.
func (r cgroupReader) limits(device string) provider.Resources {
	l := provider.Resources{PIDs: r.number("pids", "pids.max")}
	if r.cgroups["cpu"].v2 {
		quota, period, _ := strings.Cut(r.read("cpu", "cpu.max"), " ")
		l.CPUs = ratio(quota, period)
		l.CPUWeight = r.number("cpu", "cpu.weight")
	} else {
		l.CPUs = ratio(r.read("cpu", "cpu.cfs_quota_us"), r.read("cpu", "cpu.cfs_period_us"))
		if shares := r.number("cpu", "cpu.shares"); shares > 0 {
			l.CPUWeight = weightOf(shares)
		}
	}
	l.CPUSet = r.read("cpuset", "cpuset.cpus")
	if r.cgroups["memory"].v2 {
		l.Memory = r.number("memory", "memory.max")
		if swap, err := strconv.ParseInt(r.read("memory", "memory.swap.max"), 10, 64); err == nil {
			l.Swap = &swap
		}
	} else {
		l.Memory = r.number("memory", "memory.limit_in_bytes")
		if both := r.number("memory", "memory.memsw.limit_in_bytes"); both > 0 && l.Memory > 0 {
			swap := both - l.Memory
			l.Swap = &swap
		}
	}
	l.IO = r.io(device)
	return l
}

func (r cgroupReader) io(device string) provider.IO {
	if device == "" {
		return provider.IO{}
	}
	rate := func(v2, v1 string) int64 {
		found := ""
		if _, ok := r.cgroups["io"]; ok {
			found = deviceRate(r.read("io", "io.max"), device, v2)
		} else {
			found = deviceRate(r.read("blkio", v1), device, "")
		}
		n, _ := strconv.ParseInt(found, 10, 64)
		return n
	}
	io := provider.IO{
		Read:      rate("rbps", "blkio.throttle.read_bps_device"),
		Write:     rate("wbps", "blkio.throttle.write_bps_device"),
		ReadIOPS:  rate("riops", "blkio.throttle.read_iops_device"),
		WriteIOPS: rate("wiops", "blkio.throttle.write_iops_device"),
		Weight:    r.number("blkio", "blkio.bfq.weight"),
	}
	if _, ok := r.cgroups["io"]; ok {
		io.Weight, _ = strconv.ParseInt(deviceRate(r.read("io", "io.weight"), "default", ""), 10, 64)
	}
	return io
}

// ratio divides a quota by its period; 0 when there is no quota.
func ratio(quota, period string) float64 {
	q, err1 := strconv.ParseFloat(quota, 64)
	p, err2 := strconv.ParseFloat(period, 64)
	if err1 != nil || err2 != nil || q <= 0 || p <= 0 {
		return 0
	}
	return q / p
}
