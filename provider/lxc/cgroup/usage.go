package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/berth-dev/berth/provider"
)

// read returns a file's content, "" when it is not there.
func (b Box) read(controller, file string) string {
	text, err := os.ReadFile(filepath.Join(b.dirs[controller], file))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// number returns the number in a file; 0 for "max" and for a file not there.
func (b Box) number(controller, file string) int64 {
	n, err := strconv.ParseInt(b.read(controller, file), 10, 64)
	if err != nil || n < 0 || n >= unlimited {
		return 0
	}
	return n
}

// Usage returns what the box uses now.
func (b Box) Usage() provider.Usage {
	u := provider.Usage{PIDs: b.number("pids", "pids.current")}
	if b.on["cpu"].v2 {
		for line := range strings.Lines(b.read("cpu", "cpu.stat")) {
			if us, ok := strings.CutPrefix(line, "usage_usec "); ok {
				n, _ := strconv.ParseInt(strings.TrimSpace(us), 10, 64)
				u.CPU = time.Duration(n) * time.Microsecond
			}
		}
	} else {
		u.CPU = time.Duration(b.number("cpuacct", "cpuacct.usage"))
	}
	if b.on["memory"].v2 {
		u.Memory = b.number("memory", "memory.current")
		u.Swap = b.number("memory", "memory.swap.current")
	} else {
		u.Memory = b.number("memory", "memory.usage_in_bytes")
		u.Swap = max(0, b.number("memory", "memory.memsw.usage_in_bytes")-u.Memory)
	}
	return u
}

// Limits returns the limits as the kernel has them. device is the disk whose
// I/O limits are of interest.
func (b Box) Limits(device string) provider.Resources {
	l := provider.Resources{PIDs: b.number("pids", "pids.max")}
	if b.on["cpu"].v2 {
		quota, period, _ := strings.Cut(b.read("cpu", "cpu.max"), " ")
		l.CPUs = ratio(quota, period)
		l.CPUWeight = b.number("cpu", "cpu.weight")
	} else {
		l.CPUs = ratio(b.read("cpu", "cpu.cfs_quota_us"), b.read("cpu", "cpu.cfs_period_us"))
		if shares := b.number("cpu", "cpu.shares"); shares > 0 {
			l.CPUWeight = weightOf(shares)
		}
	}
	l.CPUSet = b.read("cpuset", "cpuset.cpus")
	if b.on["memory"].v2 {
		l.Memory = b.number("memory", "memory.max")
		if swap, err := strconv.ParseInt(b.read("memory", "memory.swap.max"), 10, 64); err == nil {
			l.Swap = &swap
		}
	} else {
		l.Memory = b.number("memory", "memory.limit_in_bytes")
		if both := b.number("memory", "memory.memsw.limit_in_bytes"); both > 0 && l.Memory > 0 {
			swap := both - l.Memory
			l.Swap = &swap
		}
	}
	l.IO = b.io(device)
	return l
}

func (b Box) io(device string) provider.IO {
	if device == "" {
		return provider.IO{}
	}
	rate := func(v2, v1 string) int64 {
		found := ""
		if _, ok := b.on["io"]; ok {
			found = deviceRate(b.read("io", "io.max"), device, v2)
		} else {
			found = deviceRate(b.read("blkio", v1), device, "")
		}
		n, _ := strconv.ParseInt(found, 10, 64)
		return n
	}
	io := provider.IO{
		Read:      rate("rbps", "blkio.throttle.read_bps_device"),
		Write:     rate("wbps", "blkio.throttle.write_bps_device"),
		ReadIOPS:  rate("riops", "blkio.throttle.read_iops_device"),
		WriteIOPS: rate("wiops", "blkio.throttle.write_iops_device"),
		Weight:    b.number("blkio", "blkio.bfq.weight"),
	}
	if _, ok := b.on["io"]; ok {
		io.Weight, _ = strconv.ParseInt(deviceRate(b.read("io", "io.weight"), "default", ""), 10, 64)
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
