package cgroup

import (
	"fmt"
	"strconv"
	"strings"
)

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
