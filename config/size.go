package config

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

var sizeRE = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)$`)

// sizeForm is what a message says of a size's form.
const sizeForm = `a size such as "512MiB", "1.5GiB" or "100MB", or a number of bytes`

// parseSize returns the number of bytes that s stands for: a number with a
// unit, in small or capital letters, or alone for bytes.
func parseSize(s string) (int64, error) {
	m := sizeRE.FindStringSubmatch(s)
	if m == nil || len(s) > 64 {
		return 0, errors.New("write " + sizeForm)
	}
	factor, err := sizeUnit(m[2])
	if err != nil {
		return 0, err
	}
	n, ok := new(big.Rat).SetString(m[1])
	if !ok {
		return 0, errors.New("write " + sizeForm)
	}
	n.Mul(n, new(big.Rat).SetInt64(factor))
	if !n.IsInt() {
		return 0, errors.New("it is not a whole number of bytes")
	}
	if !n.Num().IsInt64() {
		return 0, errors.New("it is too large")
	}
	return n.Num().Int64(), nil
}

// ParseSize returns the bytes of a size as an Envfile has it, for command lines.
func ParseSize(s string) (int64, error) { return parseSize(s) }

// sizeUnit returns the bytes in one unit.
func sizeUnit(unit string) (int64, error) {
	switch strings.ToLower(unit) {
	case "", "b":
		return 1, nil
	case "kib":
		return 1 << 10, nil
	case "mib":
		return 1 << 20, nil
	case "gib":
		return 1 << 30, nil
	case "tib":
		return 1 << 40, nil
	case "kb":
		return 1e3, nil
	case "mb":
		return 1e6, nil
	case "gb":
		return 1e9, nil
	case "tb":
		return 1e12, nil
	case "k", "m", "g", "t":
		u := strings.ToUpper(unit)
		thousand := strings.Replace(u, "K", "k", 1)
		return 0, fmt.Errorf("the unit %q can mean two things; write %siB for powers of 1024 or %sB for powers of 1000", unit, u, thousand)
	}
	units := []string{"KiB", "MiB", "GiB", "TiB", "kB", "MB", "GB", "TB"}
	return 0, fmt.Errorf("there is no unit %q; use one of %s", unit, strings.Join(units, ", "))
}

// formatSize writes n in the largest unit that keeps it whole.
func formatSize(n int64) string {
	units := []string{"TiB", "GiB", "MiB", "KiB"}
	for i, u := range units {
		if f := int64(1) << (10 * (len(units) - i)); n >= f && n%f == 0 {
			return fmt.Sprintf("%d%s", n/f, u)
		}
	}
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}
