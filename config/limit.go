package config

import (
	"fmt"
	"math"
	"strconv"
)

// LimitNames are the limits that [Resources.Set] knows, by their names in a
// resources block.
var LimitNames = []string{"cpus", "cpu_weight", "cpuset", "memory", "swap", "pids"}

// Set sets one limit from what a user types, under the rules of a resources
// block; "none" takes it away.
func (r *Resources) Set(name, value string) error {
	none := value == "none"
	var err error
	switch name {
	case "cpus":
		r.CPUs = 0
		if !none {
			r.CPUs, err = strconv.ParseFloat(value, 64)
			if err != nil || r.CPUs < minCPUs || r.CPUs > maxCPUs {
				err = fmt.Errorf("it must be a number of CPUs from %v to %v, not %q", minCPUs, maxCPUs, value)
			}
		}
	case "cpu_weight":
		r.CPUWeight, err = limitNumber(value, none, 1, 10000)
	case "cpuset":
		r.CPUSet = ""
		if !none {
			r.CPUSet, err = value, checkCPUSet(value)
		}
	case "memory":
		r.Memory, err = limitSize(value, none, minMemory)
	case "swap":
		r.Swap = nil
		if !none {
			var n int64
			n, err = limitSize(value, false, 0)
			r.Swap = &n
		}
	case "pids":
		r.PIDs, err = limitNumber(value, none, minPIDs, math.MaxInt64)
	default:
		err = fmt.Errorf("there is no such limit")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func limitNumber(value string, none bool, low, high int64) (int64, error) {
	if none {
		return 0, nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < low || n > high {
		if high == math.MaxInt64 {
			return 0, fmt.Errorf("it must be a whole number of at least %d, not %q", low, value)
		}
		return 0, fmt.Errorf("it must be a whole number from %d to %d, not %q", low, high, value)
	}
	return n, nil
}

func limitSize(value string, none bool, low int64) (int64, error) {
	if none {
		return 0, nil
	}
	n, err := parseSize(value)
	if err == nil && n < low {
		err = fmt.Errorf("it must be at least %s", formatSize(low))
	}
	return n, err
}
