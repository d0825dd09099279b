package provisioner

import (
	"context"
	"io"
	"io/fs"
)

// Provisioner sets up one box.
//
// Relative paths on the host are relative to the project's folder, which is the
// working directory of the plugin process.
type Provisioner interface {
	// Provision does the work. It is called at most once on a value. It may
	// find a box where an earlier attempt stopped half way, and must cope.
	// When ctx ends it returns soon; a command running in the guest is killed.
	Provision(ctx context.Context, guest Guest) error
}

// Validator may be implemented by a provisioner whose arguments need a check
// beyond their types. It is called before any box is touched and may look at
// files on the host. An [*ArgError] is underlined in the Envfile.
type Validator interface {
	Validate() error
}

// Inputs may be implemented by a provisioner that reads files or folders of the
// host. Berth compares their content, and that of the arguments, to tell
// whether the step has changed since it last ran.
type Inputs interface {
	// Inputs returns the paths, relative ones against the project's folder.
	Inputs() []string
}

// Guest is a box as a provisioner sees it. It can be used by several goroutines.
type Guest interface {
	// Info describes the box. It does not ask the box.
	Info() Info

	// Run runs a command and waits for it. A command that ran and failed is an
	// [*ExitError]; any other error means that it could not run, or that the
	// connection was lost. When ctx ends, the command and all that it started
	// in the guest are killed and Run returns ctx.Err().
	Run(ctx context.Context, cmd Cmd) error

	// Upload copies the file or folder src of the host to dst in the guest.
	// A folder's content goes into the folder dst, made if need be and merged
	// with what is there; a file replaces the file dst, and where dst is a
	// folder or ends in "/" it goes into it. Missing parents are made. Symbolic
	// links within a folder stay links.
	Upload(ctx context.Context, src, dst string, o FileOptions) error

	// Download copies the file or folder src of the guest to dst on the host,
	// in the way of Upload. Links and names in the guest cannot make it write
	// outside dst. A device, a named pipe or a link that dst is already is written
	// into, but no link that leads out of its folder.
	Download(ctx context.Context, src, dst string) error

	// Report tells the user what is being done, in one short line.
	Report(text string)
}

// Info describes a box.
type Info struct {
	Project  string // name of the project
	Box      string // name of the box
	Hostname string // its host name
	User     string // the login user
}

// Cmd is a command to run in the guest.
type Cmd struct {
	Argv []string          // program and arguments; no shell is involved
	Env  map[string]string // added to the environment of a login
	Dir  string            // working directory; empty means the user's home
	Root bool              // run as root, through sudo, instead of as the login user

	Stdin io.Reader // nil: empty

	// Stdout and Stderr take the output. Where one is nil, the user sees that
	// output line by line, with the box's name in front.
	Stdout, Stderr io.Writer
}

// FileOptions say how uploaded files are to be. The zero value keeps the modes
// of the source and makes the login user the owner.
type FileOptions struct {
	Owner string      // user name or number; anything but "" needs and implies Root
	Group string      // group name or number; likewise
	Mode  fs.FileMode // permission bits for files; 0 keeps each file's own
	Root  bool        // write as root, for places that the login user may not write
}
