package lxc

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mount is one line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
type mount struct {
	device  string // "major:minor"
	point   string
	fsType  string
	source  string
	options []string // of the superblock
}

// mounts returns the mounts of this process's namespace.
func mounts() ([]mount, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	return parseMounts(b), nil
}

// parseMounts skips lines that it does not understand.
func parseMounts(b []byte) []mount {
	var all []mount
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 6 || len(right) < 3 {
			continue
		}
		all = append(all, mount{
			device:  left[2],
			point:   unescapeMount.Replace(left[4]),
			fsType:  right[0],
			source:  unescapeMount.Replace(right[1]),
			options: strings.Split(right[2], ","),
		})
	}
	return all
}

// unescapeMount undoes the octal escapes of the mount table.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// mountOf returns the mount that path is on.
func mountOf(path string) (mount, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return mount{}, err
	}
	all, err := mounts()
	if err != nil {
		return mount{}, err
	}
	best := mount{}
	for _, m := range all {
		if m.point == path || m.point == "/" || strings.HasPrefix(path, m.point+"/") {
			if len(m.point) >= len(best.point) { // a later mount covers an earlier one
				best = m
			}
		}
	}
	if best.point == "" {
		return mount{}, fmt.Errorf("find the mount of %s", path)
	}
	return best, nil
}
