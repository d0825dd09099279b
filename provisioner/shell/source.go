package shell

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A source is a script as it goes into the box.
type source struct {
	title       string // for the user
	name        string // of the file in the box
	text        []byte
	binary      bool     // a program, not a text
	interpreter []string // of its #! line; nil without one
	tracks      bool     // the line of a failure can be found out
}

func (s *shell) load() (*source, error) {
	if s.Script == "" {
		return newSource("inline script", "inline", []byte(strings.Join(s.Inline, "\n")+"\n")), nil
	}
	text, err := os.ReadFile(s.Script)
	if err != nil {
		return nil, err
	}
	return newSource(s.Script, filepath.Base(s.Script), text), nil
}

func newSource(title, name string, text []byte) *source {
	src := &source{title: title, name: name, text: text}
	if bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
		src.binary = true
		return src
	}
	src.text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	src.text = bytes.ReplaceAll(src.text, []byte("\r\n"), []byte("\n"))
	src.interpreter = shebang(src.text)
	// A script with a trap of its own must keep the meaning of that.
	src.tracks = !bytes.Contains(src.text, []byte("ERR"))
	return src
}

// shebang reads the #! line as execve(2) does: a program and at most one
// argument, which may have spaces.
func shebang(text []byte) []string {
	line, _, _ := strings.Cut(string(text), "\n")
	line, ok := strings.CutPrefix(line, "#!")
	line = strings.Trim(line, " \t\r")
	if !ok || line == "" {
		return nil
	}
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return []string{line}
	}
	return []string{line[:i], strings.TrimLeft(line[i:], " \t")}
}

// isBash tells whether argv runs bash, also by way of env.
func isBash(argv []string) bool {
	if len(argv) > 1 && path.Base(argv[0]) == "env" {
		argv = strings.Fields(argv[1])
	}
	return len(argv) > 0 && path.Base(argv[0]) == "bash"
}
