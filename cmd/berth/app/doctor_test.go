package app

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/berth-dev/berth/internal/doctor"
	"github.com/berth-dev/berth/provider/lxc/hostcheck"
)

// Every code has a section in docs/doctor.md, and every section a code.
func TestCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := doctor.Codes()
	for _, c := range hostcheck.All() {
		codes = append(codes, c.Code)
	}
	var sections []string
	for _, m := range regexp.MustCompile(`(?m)^### (BRT-\S+)\n[^#\n]`).FindAllStringSubmatch(string(text), -1) {
		sections = append(sections, m[1])
	}
	for _, c := range codes {
		if !slices.Contains(sections, c) {
			t.Errorf("docs/doctor.md has no section %s", c)
		}
	}
	for _, s := range sections {
		if !slices.Contains(codes, s) {
			t.Errorf("docs/doctor.md explains %s, which nothing says", s)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(codes)))) != len(codes) {
		t.Errorf("a code is there twice: %q", codes)
	}
}
