package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fence = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	code  = regexp.MustCompile("`([^`\n]+)`")
	// A path of the repository, with * where a folder's name is left open.
	repoPath = regexp.MustCompile(`^(cmd|config|docs|examples|internal|plugins|provider|provisioner)(/[A-Za-z0-9_.*-]+)+/?$`)
)

// namedPaths are the repository's paths that a Markdown text names in backticks.
func namedPaths(text string) []string {
	var paths []string
	for _, m := range code.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		if repoPath.MatchString(m[1]) {
			paths = append(paths, m[1])
		}
	}
	return paths
}

func TestDocs(t *testing.T) {
	docs, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range append(docs, root+"/README.md") {
		text, err := os.ReadFile(doc)
		if os.IsNotExist(err) {
			continue // a missing README is for the reader to notice
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range namedPaths(string(text)) {
			if found, err := filepath.Glob(filepath.Join(root, p)); err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which does not exist", strings.TrimPrefix(doc, root+"/"), p)
			}
		}
	}
}

func TestNamedPaths(t *testing.T) {
	got := namedPaths("See `config/box.go`, `examples/*/Envfile`, `berth up`, `.berth/x` and `provider`.\n" +
		"```\n`docs/none.md`\n```\nThen `internal/guest/`.")
	want := "config/box.go examples/*/Envfile internal/guest/"
	if strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
