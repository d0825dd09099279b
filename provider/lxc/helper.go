package lxc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Helpers are this program run once more for what a thread cannot do: be in
// another user namespace, or in other cgroups. `berth plugin helper lxc NAME`
// runs one; users never do. Each reads what to do from its standard input and
// writes an answer to its standard output.
var helpers = map[string]func() error{
	"launch": helpLaunch, // outside: finds the box's cgroups and makes its user namespace
	"boot":   helpBoot,   // inside that: mounts the box's disk and starts LXC
	"net":    helpNet,    // LXC's hook: has the box's network devices made
	"tell":   helpTell,   // in the box's user namespace: writes its hosts file
}

// helperArgs is the command line of a helper after the program's name.
func helperArgs(name string) []string { return []string{"plugin", "helper", "lxc", name} }

// Helper runs a helper and returns the exit status.
func Helper(name string) int {
	help := helpers[name]
	if help == nil {
		fmt.Fprintf(os.Stderr, "the LXC provider has no helper %q\n", name)
		return 2
	}
	a := answerOf(help())
	if name == "net" { // LXC is who listens
		if a.Error == "" {
			return 0
		}
		fmt.Fprintln(os.Stderr, a.Error)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		return 1
	}
	return 0
}

// helperAnswer runs a command that is a helper in the end.
func helperAnswer(cmd *exec.Cmd, in []byte) error {
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout = bytes.NewReader(in), &out
	err := runTool(cmd)
	var a answer
	if json.Unmarshal(out.Bytes(), &a) == nil {
		return a.err()
	}
	if err != nil {
		return err
	}
	return errors.New(strings.TrimSpace("the helper of the LXC provider gave no answer " + out.String()))
}
