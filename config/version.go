package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// version is a release of Berth: up to three numbers and what marks one that
// comes before the release, as in 0.3.0-rc1.
type version struct {
	nums  [3]int
	given int // how many numbers were written
	pre   string
}

var (
	versionRE    = regexp.MustCompile(`^v?([0-9]{1,6})(?:\.([0-9]{1,6}))?(?:\.([0-9]{1,6}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$`)
	constraintRE = regexp.MustCompile(`^(>=|<=|!=|~>|>|<|=|)\s*(\S+)$`)
)

func parseVersion(s string) (version, error) {
	m := versionRE.FindStringSubmatch(s)
	if m == nil {
		return version{}, fmt.Errorf("%q is not a version such as 0.1 or 1.2.3", s)
	}
	v := version{pre: m[4]}
	for i, part := range m[1:4] {
		if part == "" {
			break
		}
		v.nums[i], _ = strconv.Atoi(part) // at most six digits
		v.given++
	}
	return v, nil
}

func (v version) compare(w version) int {
	for i := range v.nums {
		if c := cmp.Compare(v.nums[i], w.nums[i]); c != 0 {
			return c
		}
	}
	switch {
	case v.pre == w.pre:
		return 0
	case v.pre == "": // 1.0 comes after 1.0-rc1
		return 1
	case w.pre == "":
		return -1
	}
	return cmp.Compare(v.pre, w.pre)
}

// constraint is one condition on a version.
type constraint struct {
	op string
	v  version
}

// parseConstraints parses conditions that must all hold: ">= 0.1, < 2".
func parseConstraints(s string) ([]constraint, error) {
	var out []constraint
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			return nil, errors.New(`a condition is empty; write them such as ">= 0.1, < 2"`)
		}
		m := constraintRE.FindStringSubmatch(part)
		if m == nil {
			return nil, fmt.Errorf("%q is not a condition; use >=, >, <=, <, =, != or ~> and a version", part)
		}
		v, err := parseVersion(m[2])
		if err != nil {
			return nil, err
		}
		if m[1] == "~>" && v.given < 2 {
			return nil, fmt.Errorf("~> needs at least two numbers, such as ~> %d.0", v.nums[0])
		}
		out = append(out, constraint{op: m[1], v: v})
	}
	return out, nil
}

// allows reports whether v satisfies c.
func (c constraint) allows(v version) bool {
	d := v.compare(c.v)
	switch c.op {
	case ">=":
		return d >= 0
	case ">":
		return d > 0
	case "<=":
		return d <= 0
	case "<":
		return d < 0
	case "!=":
		return d != 0
	case "~>":
		// Only the last number that was written may grow.
		for i := range c.v.given - 1 {
			if v.nums[i] != c.v.nums[i] {
				return false
			}
		}
		return d >= 0
	}
	return d == 0
}
