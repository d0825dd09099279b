package shell

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/berth-dev/berth/provisioner"
)

// New returns the provisioner with the defaults of its arguments.
func New() provisioner.Provisioner { return &shell{Privileged: true} }

type shell struct {
	Inline      []string          `hcl:"inline,optional"` // lines of a script
	Script      string            `hcl:"script,optional"` // path of a script on the host
	Args        []string          `hcl:"args,optional"`
	Env         map[string]string `hcl:"env,optional"`
	Privileged  bool              `hcl:"privileged,optional"`
	Dir         string            `hcl:"dir,optional"`         // where it runs, in the box
	Interpreter []string          `hcl:"interpreter,optional"` // program and arguments; one string is split at spaces
}

// Inputs names the script.
func (s *shell) Inputs() []string {
	if s.Script == "" {
		return nil
	}
	return []string{s.Script}
}

// Validate looks at the arguments and for the script.
func (s *shell) Validate() error {
	switch {
	case len(s.Inline) > 0 && s.Script != "":
		return argError("script", "script cannot be used together with inline")
	case len(s.Inline) == 0 && s.Script == "":
		return argError("inline", "either inline or script must be set")
	case s.Script != "":
		if err := checkScript(s.Script); err != nil {
			return &provisioner.ArgError{Arg: "script", Err: err}
		}
	case strings.TrimSpace(strings.Join(s.Inline, "")) == "":
		return argError("inline", "inline must not be empty")
	}
	if len(s.Interpreter) > 0 && len(s.interpreter()) == 0 {
		return argError("interpreter", "interpreter must not be empty")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		if !envName.MatchString(name) {
			return argError("env", "%q is no name of a variable: letters, digits and _, and no digit first", name)
		}
	}
	return nil
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// interpreter is the argument as a list.
func (s *shell) interpreter() []string {
	if len(s.Interpreter) == 1 {
		return strings.Fields(s.Interpreter[0])
	}
	return s.Interpreter
}

func checkScript(path string) error {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist; a relative path is relative to the project's folder", path)
	case err != nil:
		return err
	case st.IsDir():
		return fmt.Errorf("%s is a folder, not a script", path)
	case !st.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// Provision runs the script.
func (s *shell) Provision(ctx context.Context, guest provisioner.Guest) (err error) {
	if err := s.Validate(); err != nil { // the script may have gone meanwhile
		return err
	}
	src, err := s.load()
	if err != nil {
		return err
	}
	st, err := place(ctx, guest, src)
	if err != nil {
		return fmt.Errorf("copy %s: %w", src.title, err)
	}
	runErr := guest.Run(ctx, s.command(src, st))
	line, err := st.remove(ctx, guest, s.Privileged)
	if runErr != nil {
		return describe(runErr, src, s.Args, line)
	}
	if err != nil {
		return fmt.Errorf("remove %s from the box: %w", src.title, err)
	}
	return nil
}

func (s *shell) command(src *source, st *staged) provisioner.Cmd {
	argv := src.interpreter
	if i := s.interpreter(); len(i) > 0 {
		argv = i
	} else if argv == nil && !src.binary {
		argv = []string{"sh", "-e"}
		if st.bash {
			argv = []string{"bash", "-e"}
		}
	}
	cmd := provisioner.Cmd{
		Argv: slices.Concat(argv, []string{st.script}, s.Args),
		Env:  maps.Clone(s.Env),
		Dir:  s.Dir,
		Root: s.Privileged,
	}
	if _, taken := s.Env["BASH_ENV"]; !taken && isBash(argv) && src.tracks {
		if cmd.Env == nil {
			cmd.Env = map[string]string{}
		}
		cmd.Env["BASH_ENV"] = st.dir + "/" + trapFile
	}
	return cmd
}

// describe makes an error speak of the script as the user knows it, and not of
// the file in the box.
func describe(err error, src *source, args []string, where string) error {
	var exit *provisioner.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	e := *exit
	e.Argv = append([]string{src.title}, args...)
	if where != "" {
		return fmt.Errorf("%w, at %s", &e, where)
	}
	return &e
}

func argError(arg, format string, a ...any) error {
	return &provisioner.ArgError{Arg: arg, Err: fmt.Errorf(format, a...)}
}
