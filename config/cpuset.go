package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var cpuRangeRE = regexp.MustCompile(`^([0-9]{1,4})(?:-([0-9]{1,4}))?$`)

// checkCPUSet says what is wrong with a list of CPUs as the kernel takes it,
// "0-2,4" (cpuset(7), "List format").
func checkCPUSet(s string) error {
	if s == "" {
		return errors.New(`it is empty; write CPUs such as "0-2,4"`)
	}
	for part := range strings.SplitSeq(s, ",") {
		m := cpuRangeRE.FindStringSubmatch(part)
		if m == nil {
			return fmt.Errorf(`%q is neither a CPU nor a range of CPUs; write them such as "0-2,4"`, part)
		}
		if m[2] == "" {
			continue
		}
		lo, _ := strconv.Atoi(m[1]) // at most four digits
		hi, _ := strconv.Atoi(m[2])
		if hi < lo {
			return fmt.Errorf("the range %s runs backwards; write %d-%d", part, hi, lo)
		}
	}
	return nil
}
