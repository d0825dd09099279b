package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// TestDocs keeps the reference and the example in step with the code: both
// name every block and argument, the reference every function.
func TestDocs(t *testing.T) {
	read := func(path string) string {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(src)
	}
	reference, example := read("../docs/envfile.md"), read("../Envfile.example")
	schemas := []*hcl.BodySchema{
		topSchema, berthSchema, variableSchema, projectSchema, boxSchema, defaultsSchema, resourcesSchema, ioSchema,
		sshSchema, provisionerSchema, networkSchema, forwardSchema, folderSchema,
	}
	for _, s := range schemas {
		for _, name := range schemaNames(s) {
			if !regexp.MustCompile(`(?m)^[ #]*` + name + `\b`).MatchString(example) {
				t.Errorf("Envfile.example does not show %q", name)
			}
			if !strings.Contains(reference, "`"+name+"`") && !regexp.MustCompile(`(?m)^##+ .*\b`+name+`\b`).MatchString(reference) {
				t.Errorf("docs/envfile.md does not explain %q", name)
			}
		}
	}
	for name := range functions("", Options{}, newWork()) {
		if name == loopName {
			continue
		}
		if !strings.Contains(reference, "`"+name+"`") && !strings.Contains(reference, "`"+name+"(") {
			t.Errorf("docs/envfile.md does not name the function %q", name)
		}
	}
	blocks := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(reference, -1)
	if len(blocks) == 0 {
		t.Error("docs/envfile.md has no example")
	}
	for _, m := range blocks {
		parseOK(t, Options{}, m[1])
	}
}

// TestDocsMistakes checks that the messages in the reference are real ones.
func TestDocsMistakes(t *testing.T) {
	src, err := os.ReadFile("../docs/envfile.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, 13)
	lines[7] = `box "web" {`
	lines[8] = `  depend_on = ["db"]`
	lines[9] = `  resources {`
	lines[10] = `    memory = "512M"`
	lines[11] = "  }"
	lines[12] = "image = \"x\"\n}"
	out := strings.ReplaceAll(render(t, strings.Join(lines, "\n"), nil, WriteOptions{}), "sub/Envfile", "Envfile")
	if !strings.Contains(string(src), strings.TrimSpace(out)) {
		t.Errorf("docs/envfile.md does not hold:\n%s", out)
	}
}

// TestHomes checks that a word that is right elsewhere is sent there.
func TestHomes(t *testing.T) {
	got := hint("memory", boxSchema, nil)
	if got != ` It belongs in a "resources" block.` {
		t.Errorf("hint: %q", got)
	}
	if got := hint("imag", boxSchema, schemaNames(boxSchema)); got != ` Did you mean "image"?` {
		t.Errorf("hint: %q", got)
	}
	if got := hint("hostname", defaultsSchema, nil); got != ` It belongs in a "box" block.` {
		t.Errorf("hint: %q", got)
	}
}
