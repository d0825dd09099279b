package provider

// Resources are the limits of a box. A zero value or nil means no limit.
type Resources struct {
	CPUs      float64 // CPU time in CPUs: 1.5 is 150 ms in every 100 ms
	CPUWeight int64   // share under contention, 1 to 10000, as cpu.weight of cgroup v2; the kernel's default is 100
	CPUSet    string  // CPUs the box may run on, as cpuset.cpus: "0-2,4"
	Memory    int64   // bytes
	Swap      *int64  // bytes of swap beyond Memory; 0 forbids swap, nil sets no limit
	PIDs      int64   // processes and threads
	// Disk is how much the box may have on its disk beyond what it was made from,
	// in bytes. Unlike others, this limit may need a start to hold, or to change;
	// see [Resizer].
	Disk int64
	// DiskOptional says that on a host that cannot enforce Disk the box is to start
	// without that limit and with a warning; else it is an error.
	DiskOptional bool
	IO           IO
}

// IO limits a box's use of the disk that holds it. A zero value means no limit.
type IO struct {
	Weight    int64 // share under contention, 1 to 10000
	Read      int64 // bytes per second
	Write     int64 // bytes per second
	ReadIOPS  int64 // operations per second
	WriteIOPS int64 // operations per second
}
