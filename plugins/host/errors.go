package host

import (
	"fmt"
	"strings"
)

// NotFoundError means that there is no plugin of that kind and name.
type NotFoundError struct {
	Kind, Name string
	Searched   []string // folders, with a remark where one was ignored
	Near       string   // a name that may have been meant, or ""
	Builtin    []string // the names that need no file
}

func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no %s plugin %q", e.Kind, e.Name)
	if e.Near != "" {
		fmt.Fprintf(&b, "; did you mean %q?", e.Near)
	}
	if e.Near == "" && len(e.Builtin) > 0 {
		fmt.Fprintf(&b, "; built in: %s", strings.Join(e.Builtin, ", "))
	}
	fmt.Fprintf(&b, " (looked for %s in %s)", binaryName(e.Kind, e.Name), strings.Join(e.Searched, ", "))
	return b.String()
}

// PluginError means that a plugin's process ended, or stopped answering, before
// it had answered a call.
type PluginError struct {
	Kind, Name string
	Op         string // the method, such as "Create"
	Status     string // "exit status 3", "signal: killed", or "connection lost"
	Log        string // the last lines that it printed; may be empty
}

func (e *PluginError) Error() string {
	s := fmt.Sprintf("%s plugin %q ended during %s: %s", e.Kind, e.Name, e.Op, e.Status)
	if e.Log != "" {
		s += "; it printed:\n" + indent(e.Log)
	}
	return s
}

// StartError means that a plugin is there but could not be started.
type StartError struct {
	Kind, Name string
	Path       string // the binary
	Reason     string // what is wrong, in one line
	Log        string // the last lines that it printed; may be empty
}

func (e *StartError) Error() string {
	s := fmt.Sprintf("start %s plugin %q: %s %s", e.Kind, e.Name, e.Path, e.Reason)
	if e.Log != "" {
		s += "; it printed:\n" + indent(e.Log)
	}
	return s
}

func indent(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") }
