package guest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Names of the variable that tags what runs in a box. Sessions of a person bear
// the other one, so that KillStray leaves them alone.
const (
	runTag = "BERTH_RUN"
	sshTag = "BERTH_SSH"
)

// newTag makes the random part of a tag.
func newTag() string {
	b := make([]byte, 16)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// The program of every command line; see the package comment. It holds neither
// a single quote nor a backslash, which fish would read inside the quotes.
const readHeader = `IFS= read -r BERTH_HEADER && eval "$BERTH_HEADER"`

// A user's rights for a command line.
type rights int

const (
	asUser   rights = iota
	asRoot          // through sudo
	rootElse        // as root where sudo lets the user, else as the user
)

// commandLine is what sshd gets. name is the program's $0 and, being part of the
// command line, finds it before it has a tag in its environment.
func (c *Client) commandLine(r rights, name string) string {
	sh := "sh -c '" + readHeader + "' " + name
	if c.target.User == "root" {
		r = asUser
	}
	switch r {
	case asRoot:
		return "exec sudo -n -H -- " + sh
	case rootElse:
		return "sudo -n -H -- " + sh + " || exec " + sh
	}
	return "exec " + sh
}

// A header is a program for sh that fits on one line.
type header struct{ strings.Builder }

// export sets the variables of env.
func (h *header) export(env map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !envName.MatchString(name) {
			return fmt.Errorf("set environment variable %q: the name must be letters, digits and _ and not begin with a digit", name)
		}
		if strings.IndexByte(env[name], 0) >= 0 {
			return fmt.Errorf("set environment variable %s: its value has a NUL byte", name)
		}
		h.WriteString("export " + name + "=" + quote(env[name]) + "; ")
	}
	return nil
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// tag puts the tag into the environment. exec keeps the process number, so $$
// is that of the command.
func (h *header) tag(name, value string) {
	h.WriteString("export " + name + "=" + value + "-$$; ")
}

// exec makes the program become argv.
func (h *header) exec(argv []string) error {
	if len(argv) == 0 || argv[0] == "" {
		return fmt.Errorf("run command: it is empty")
	}
	h.WriteString("exec")
	for _, arg := range argv {
		if strings.IndexByte(arg, 0) >= 0 {
			return fmt.Errorf("run %s: an argument has a NUL byte", argv[0])
		}
		h.WriteString(" " + quote(arg))
	}
	return nil
}

// line is the header as it is sent.
func (h *header) line() string {
	s := h.String()
	if strings.Contains(s, newline) {
		s = `BERTH_NL=$(printf '\nx'); BERTH_NL=${BERTH_NL%x}; ` + s
	}
	return s + "\n"
}

// newline stands for a newline in a quoted word, since the header is one line.
const newline = `'"$BERTH_NL"'`

// quote makes one word of s for a POSIX shell.
func quote(s string) string {
	return "'" + quoter.Replace(s) + "'"
}

var quoter = strings.NewReplacer(`'`, `'\''`, "\n", newline)

// homePath reads a leading "~" of a path in the guest: sshd starts everything in
// the user's home, and sudo stays there.
func homePath(p string) (string, error) {
	switch {
	case p == "~" || p == "":
		return ".", nil
	case strings.HasPrefix(p, "~/"):
		return "./" + strings.TrimLeft(p[2:], "/"), nil
	case strings.HasPrefix(p, "~"):
		return "", fmt.Errorf("path %q: only ~ and ~/… mean a home, that of the login user; for a name that begins with ~ write ./~", p)
	case strings.IndexByte(p, 0) >= 0:
		return "", fmt.Errorf("path %q has a NUL byte", p)
	}
	return p, nil
}
