// Package mountinfo reads the mount table of this process's namespace.
package mountinfo

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Mount is one line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
type Mount struct {
	Device  string // "major:minor"
	Point   string
	FSType  string
	Source  string
	Options []string // of the superblock
}

// All returns the mounts of this process's namespace.
func All() ([]Mount, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	return parse(b), nil
}

// parse skips lines that it does not understand.
func parse(b []byte) []Mount {
	var all []Mount
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 6 || len(right) < 3 {
			continue
		}
		all = append(all, Mount{
			Device:  left[2],
			Point:   unescapeMount.Replace(left[4]),
			FSType:  right[0],
			Source:  unescapeMount.Replace(right[1]),
			Options: strings.Split(right[2], ","),
		})
	}
	return all
}

// unescapeMount undoes the octal escapes of the mount table.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// Of returns the mount that path is on.
func Of(path string) (Mount, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Mount{}, err
	}
	all, err := All()
	if err != nil {
		return Mount{}, err
	}
	best := Mount{}
	for _, m := range all {
		if m.Point == path || m.Point == "/" || strings.HasPrefix(path, m.Point+"/") {
			if len(m.Point) >= len(best.Point) { // a later mount covers an earlier one
				best = m
			}
		}
	}
	if best.Point == "" {
		return Mount{}, fmt.Errorf("find the mount of %s", path)
	}
	return best, nil
}
