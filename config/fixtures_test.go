package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

func parseFixture(t *testing.T, path string) (*Envfile, hcl.Diagnostics) {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Parse([]Source{{Name: path, Bytes: src}}, t.TempDir(), Options{Version: "0.3.0"})
}

func TestValid(t *testing.T) {
	for _, path := range glob(t, "testdata/valid/*.hcl", "../Envfile.example") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, diags := parseFixture(t, path); diags.HasErrors() {
				t.Errorf("problems in a valid file:\n%s", strings.Join(problems(t, diags), "\n"))
			}
		})
	}
}

var marker = regexp.MustCompile(`# ERROR: ([^#\n]*[^#\s])`)

// TestErrors compares all diagnostics of a fixture with the markers in it:
// "# ERROR: summary" on the line of the diagnostic's subject, as often as
// there are diagnostics.
func TestErrors(t *testing.T) {
	for _, path := range glob(t, "testdata/errors/*.hcl") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for i, line := range strings.Split(string(src), "\n") {
				for _, m := range marker.FindAllStringSubmatch(line, -1) {
					want = append(want, fmt.Sprintf("%d: %s", i+1, m[1]))
				}
			}
			_, diags := parseFixture(t, path)
			got := problems(t, diags)
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("problems (-marked +found):\n%s", diff)
			}
		})
	}
}

// problems lists diagnostics as "line: summary" and fails on any that a user
// could not find in the file.
func problems(t *testing.T, diags hcl.Diagnostics) []string {
	t.Helper()
	var out []string
	for _, d := range diags {
		if d.Subject == nil {
			t.Fatalf("no subject: %s: %s", d.Summary, d.Detail)
		}
		if d.Detail == "" {
			t.Errorf("no detail: %s", d.Summary)
		}
		out = append(out, fmt.Sprintf("%d: %s", d.Subject.Start.Line, d.Summary))
	}
	return out
}

func glob(t *testing.T, patterns ...string) []string {
	t.Helper()
	var out []string
	for _, p := range patterns {
		paths, err := filepath.Glob(p)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no files match %s (%v)", p, err)
		}
		out = append(out, paths...)
	}
	return out
}
