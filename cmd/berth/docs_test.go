package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	docEnvfile  = regexp.MustCompile("(?ms)^```hcl\n(# Envfile\n.*?)^```")
	docCommands = regexp.MustCompile("(?ms)^```console\n(.*?)^```")
)

// What docs/reproducible.md shows works, command by command, and says what it
// shows, but for times and addresses.
func TestReproducibleDoc(t *testing.T) {
	text, err := os.ReadFile("../../docs/reproducible.md")
	if err != nil {
		t.Fatal(err)
	}
	envfile := docEnvfile.FindSubmatch(text)
	if envfile == nil {
		t.Fatal("the page shows no Envfile")
	}
	p := newProject(t, string(envfile[1]))
	said, commands := "", 0
	for _, block := range docCommands.FindAllSubmatch(text, -1) {
		for line := range strings.Lines(string(block[1])) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), "  #") // what is explained
			line = strings.TrimSpace(line)
			command, is := strings.CutPrefix(line, "$ berth ")
			switch {
			case is:
				commands++
				if said, err = p.run(shellWords(command)...); err != nil {
					t.Fatalf("berth %s: %v\n%s", command, err, said)
				}
			case !strings.Contains(said, stable(line)):
				t.Errorf("the page shows %q, and berth says\n%s", line, said)
			}
		}
	}
	if commands < 10 {
		t.Errorf("%d commands were found", commands)
	}
}

// stable is the part of a line before what is different each time.
func stable(line string) string {
	for _, change := range []string{" in ", " after ", "before-"} {
		if before, _, ok := strings.Cut(line, change); ok {
			line = before
		}
	}
	return line
}

// shellWords takes a command line apart; single quotes keep words together.
func shellWords(line string) []string {
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}
