// Package subid reads the files that say which ids of the host a user may give to
// user namespaces: /etc/subuid and /etc/subgid (subuid(5), subgid(5)).
package subid

import (
	"bufio"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The files.
const (
	Users  = "/etc/subuid"
	Groups = "/etc/subgid"
)

// Range is a line of such a file.
type Range struct {
	Owner string // a user's name, or the number
	First uint64
	Count uint64
}

// Overlaps reports whether two ranges have an id in common.
func (r Range) Overlaps(o Range) bool {
	return max(r.First, o.First) < min(r.First+r.Count, o.First+o.Count)
}

// Parse returns the ranges that are written, and skips lines that are none, as
// newuidmap(1) does.
func Parse(r io.Reader) []Range {
	var all []Range
	for lines := bufio.NewScanner(r); lines.Scan(); {
		fields := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(fields) != 3 {
			continue
		}
		first, err1 := strconv.ParseUint(fields[1], 10, 32)
		count, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err1 == nil && err2 == nil {
			all = append(all, Range{fields[0], first, count})
		}
	}
	return all
}

// Load returns the ranges of a file.
func Load(path string) ([]Range, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Parse(f), nil
}

// Of returns the ranges that are a user's, who is named or numbered.
func Of(all []Range, name string, uid int) []Range {
	return slices.DeleteFunc(slices.Clone(all), func(r Range) bool {
		return r.Owner != name && r.Owner != strconv.Itoa(uid)
	})
}
