package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/berth-dev/berth"

// root is the top of the source tree.
const root = "../.."

// A goFile is one Go file of the tree.
type goFile struct {
	path      string // from the top
	imports   []string
	lines     int
	generated bool
}

func (f goFile) dir() string  { return path.Dir(f.path) }
func (f goFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// goFiles reads all Go files once. A hidden folder and testdata are not part of
// the module, as for the go command.
var goFiles = sync.OnceValues(func() ([]goFile, error) {
	var files []goFile
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != root && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "vendor") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		f, err := parseFile(name, filepath.ToSlash(rel))
		files = append(files, f)
		return err
	})
	return files, err
})

func parseFile(name, rel string) (goFile, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return goFile{}, err
	}
	syntax, err := parser.ParseFile(token.NewFileSet(), rel, text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return goFile{}, err
	}
	f := goFile{path: rel, lines: bytes.Count(text, []byte("\n")), generated: ast.IsGenerated(syntax)}
	for _, spec := range syntax.Imports {
		f.imports = append(f.imports, strings.Trim(spec.Path.Value, "`\""))
	}
	return f, nil
}

func allFiles(t *testing.T) []goFile {
	t.Helper()
	files, err := goFiles()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("found %d Go files only", len(files))
	}
	return files
}

// maxLines is where a file has become too long to be read in one go.
const maxLines = 400

func TestFileLength(t *testing.T) {
	for _, f := range allFiles(t) {
		if !f.isTest() && !f.generated && f.lines > maxLines {
			t.Errorf("%s has %d lines, more than %d: divide it", f.path, f.lines, maxLines)
		}
	}
}
