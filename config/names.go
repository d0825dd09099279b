package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// maxName is the length in bytes of the longest name of a project or box. Both
// are part of the provider's id for the box, of at most 60 bytes, and of host
// names.
const maxName = 30

var (
	nameRE    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	labelRE   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
	envNameRE = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	loginRE   = regexp.MustCompile(`^[a-z_][a-z0-9_-]*$`)
)

// CheckName says what is wrong with a name that is to be like those of boxes; nil:
// nothing.
func CheckName(s string) error { return checkName(s) }

// checkName says what is wrong with the name of a project, box or plugin.
func checkName(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("it is empty")
	case len(s) > maxName:
		return fmt.Errorf("it has %d characters; at most %d are allowed", len(s), maxName)
	case !nameRE.MatchString(s):
		return fmt.Errorf("use small letters, digits and hyphens, and begin with a letter or digit")
	}
	return nil
}

// checkHostname says what is wrong with a host name (RFC 1123, section 2.1).
func checkHostname(s string) error {
	if s == "" {
		return fmt.Errorf("it is empty")
	}
	// 64 is the size of the kernel's own field (sethostname(2)).
	if len(s) > 64 {
		return fmt.Errorf("it has %d characters; Linux allows at most 64", len(s))
	}
	for label := range strings.SplitSeq(s, ".") {
		switch {
		case label == "":
			return fmt.Errorf("a part between dots is empty")
		case len(label) > 63:
			return fmt.Errorf("a part between dots has %d characters; at most 63 are allowed (RFC 1123)", len(label))
		case !labelRE.MatchString(label):
			return fmt.Errorf("use letters, digits and hyphens; each part between dots begins and ends with a letter or digit (RFC 1123)")
		}
	}
	return nil
}

// checkLogin says what is wrong with a login name (useradd(8)).
func checkLogin(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("it is empty")
	case len(s) > 32:
		return fmt.Errorf("it has %d characters; at most 32 are allowed", len(s))
	case !loginRE.MatchString(s):
		return fmt.Errorf("use small letters, digits, '_' and '-', and begin with a letter or '_'")
	}
	return nil
}

// slug makes a project's name of a folder's.
func slug(folder string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(folder) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == maxName {
			break
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "project"
}

// nearest returns the candidate most like name, or "" when none is much like it.
func nearest(name string, candidates []string) string {
	// Comparing takes the product of both lengths.
	if len(name) > 64 {
		return ""
	}
	if len(candidates) > 1000 {
		candidates = candidates[:1000]
	}
	best, bestDist := "", max(1, min(3, len(name)/3))+1
	sorted := slices.Sorted(slices.Values(candidates))
	for _, c := range sorted {
		if c == name || len(c) > 64 {
			continue
		}
		d := distance(strings.ToLower(name), strings.ToLower(c))
		if d < bestDist && d < len(c) {
			best, bestDist = c, d
		}
	}
	return best
}

// distance is Levenshtein's, but two letters that have changed places, the
// commonest slip of all, count once.
func distance(a, b string) int {
	d := levenshtein.Distance(a, b, nil)
	if d == 2 && len(a) == len(b) && slices.Equal(slices.Sorted(slices.Values([]byte(a))), slices.Sorted(slices.Values([]byte(b)))) {
		return 1
	}
	return d
}

// didYouMean is the sentence that names the nearest candidate, with a space
// before it, or "".
func didYouMean(name string, candidates []string) string {
	if s := nearest(name, candidates); s != "" {
		return fmt.Sprintf(" Did you mean %q?", s)
	}
	return ""
}

// listOf joins names for a sentence: "a, b or c".
func listOf(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
