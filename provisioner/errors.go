package provisioner

import (
	"errors"
	"fmt"
	"strings"
)

// ErrConnection means that the connection to the guest was lost or could not be
// made. It keeps its identity across the plugin boundary.
var ErrConnection = errors.New("connection to the box lost")

// ArgError blames one argument of the block, so that the user sees it
// underlined in the Envfile. It keeps its argument across the plugin boundary.
type ArgError struct {
	Arg string // name of the argument, such as "text"
	Err error  // what is wrong with it, and what would be right
}

func (e *ArgError) Error() string { return e.Arg + ": " + e.Err.Error() }
func (e *ArgError) Unwrap() error { return e.Err }

// ExitError is a command that ran in the guest and did not succeed.
type ExitError struct {
	Argv   []string // what was run
	Status int      // exit status; 0 when Signal is set
	Signal string   // name without SIG of the signal that ended it, such as "KILL"
	Stderr string   // the last lines of its standard error, where Berth has seen them
}

func (e *ExitError) Error() string {
	how := fmt.Sprintf("exit status %d", e.Status)
	if e.Signal != "" {
		how = "killed by signal " + e.Signal
	}
	name := strings.Join(e.Argv, " ")
	if i := strings.IndexByte(name, '\n'); i >= 0 {
		name = name[:i] + " …"
	}
	return fmt.Sprintf("%s: %s", name, how)
}
