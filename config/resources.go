package config

import (
	"math"

	"github.com/hashicorp/hcl/v2"
)

// Resources are the limits of a box. A zero value or nil means no limit.
type Resources struct {
	CPUs      float64 // CPU time in CPUs: 1.5 is 150 ms in every 100 ms; 0.01 to 4096
	CPUWeight int64   // share under contention, 1 to 10000; the kernel's default is 100
	CPUSet    string  // CPUs the box may run on: "0-2,4"
	Memory    int64   // bytes; at least 16 MiB
	Swap      *int64  // bytes beyond Memory; 0 forbids swap, nil sets no limit
	PIDs      int64   // processes and threads; at least 16
	Disk      int64   // bytes beyond what the box is made from; at least 64 MiB
	// DiskOptional is disk_enforce = false: where the host cannot limit the disk,
	// the box does without.
	DiskOptional bool
	IO           IO
}

// IO limits a box's use of the disk that holds it. A zero value means no limit.
type IO struct {
	Weight    int64 // share under contention, 1 to 10000
	Read      int64 // bytes per second; at least 1 KiB
	Write     int64 // bytes per second; at least 1 KiB
	ReadIOPS  int64 // operations per second
	WriteIOPS int64 // operations per second
}

const (
	minCPUs   = 0.01
	maxCPUs   = 4096
	minMemory = 16 << 20
	minDisk   = 64 << 20
	minPIDs   = 16
	minRate   = 1 << 10
)

func (d *decoder) decodeResources(b *Box, block *hcl.Block) {
	if block == nil {
		return
	}
	r := &b.Resources
	content := d.content(block.Body, resourcesSchema)
	attrs := content.Attributes
	b.ranges["resources"] = block.DefRange
	b.note("resources.", attrs)

	d.float(attrs["cpus"], &r.CPUs, minCPUs, maxCPUs)
	d.integer(attrs["cpu_weight"], &r.CPUWeight, 1, 10000, "")
	d.text(attrs["cpuset"], &r.CPUSet, checkCPUSet)
	d.size(attrs["memory"], &r.Memory, minMemory, " With less no box boots.")
	d.integer(attrs["pids"], &r.PIDs, minPIDs, math.MaxInt64, " A box runs a whole system, whose services alone are dozens of processes.")
	swap := int64(-1)
	if d.size(attrs["swap"], &swap, 0, ""); swap >= 0 {
		r.Swap = &swap
	}
	d.size(attrs["disk"], &r.Disk, minDisk, "")
	enforce := !r.DiskOptional
	d.boolean(attrs["disk_enforce"], &enforce)
	r.DiskOptional = !enforce
	d.decodeIO(b, d.single(content.Blocks))
}

func (d *decoder) decodeIO(b *Box, block *hcl.Block) {
	if block == nil {
		return
	}
	io := &b.Resources.IO
	attrs := d.content(block.Body, ioSchema).Attributes
	b.ranges["resources.io"] = block.DefRange
	b.note("resources.io.", attrs)

	d.integer(attrs["weight"], &io.Weight, 1, 10000, "")
	d.size(attrs["read"], &io.Read, minRate, "")
	d.size(attrs["write"], &io.Write, minRate, "")
	d.integer(attrs["read_iops"], &io.ReadIOPS, 1, math.MaxInt64, "")
	d.integer(attrs["write_iops"], &io.WriteIOPS, 1, math.MaxInt64, "")
}

var resourcesSchema = &hcl.BodySchema{
	Attributes: attributes("cpus", "cpu_weight", "cpuset", "memory", "swap", "pids", "disk", "disk_enforce"),
	Blocks:     []hcl.BlockHeaderSchema{{Type: "io"}},
}

var ioSchema = &hcl.BodySchema{Attributes: attributes("weight", "read", "write", "read_iops", "write_iops")}
