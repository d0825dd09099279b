// Package file is the provisioner that copies a file or a folder of the project
// into a box.
//
//	provisioner "file" {
//	  source      = "site.conf"
//	  destination = "/etc/nginx/site.conf"
//	  mode        = "0644"
//	}
//
// A destination in the login user's home or in /tmp is written as that user, who
// then owns it. Any other absolute destination, and any step with an owner or a
// group, is written as root, and belongs to root unless the step says otherwise.
// How the copying goes is described at provisioner.Guest.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/berth-dev/berth/provisioner"
)

// New returns the provisioner with its arguments unset.
func New() provisioner.Provisioner { return &file{} }

type file struct {
	Source      string `hcl:"source"`
	Destination string `hcl:"destination"`
	Owner       string `hcl:"owner,optional"`
	Group       string `hcl:"group,optional"`
	Mode        string `hcl:"mode,optional"` // octal, of files; each one's own where empty
}

// Inputs names the source.
func (f *file) Inputs() []string { return []string{f.Source} }

// Validate looks at the arguments and at the source.
func (f *file) Validate() error {
	st, err := os.Stat(f.Source)
	switch {
	case f.Source == "":
		return argError("source", "source must not be empty")
	case errors.Is(err, fs.ErrNotExist):
		return argError("source", "%s does not exist; a relative path is relative to the project's folder", f.Source)
	case err != nil:
		return &provisioner.ArgError{Arg: "source", Err: err}
	case !st.Mode().IsRegular() && !st.IsDir():
		return argError("source", "%s is neither a file nor a folder", f.Source)
	case f.Destination == "":
		return argError("destination", "destination must not be empty; ~ is the home of the login user")
	}
	_, err = f.mode()
	return err
}

// Provision copies the source.
func (f *file) Provision(ctx context.Context, guest provisioner.Guest) error {
	if err := f.Validate(); err != nil { // the source may have gone meanwhile
		return err
	}
	mode, err := f.mode()
	if err != nil {
		return err
	}
	return guest.Upload(ctx, f.Source, f.Destination, provisioner.FileOptions{
		Owner: f.Owner,
		Group: f.Group,
		Mode:  mode,
		Root:  f.Owner != "" || f.Group != "" || needsRoot(f.Destination, guest.Info().User),
	})
}

func (f *file) mode() (fs.FileMode, error) {
	if f.Mode == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(f.Mode, 8, 32)
	if err != nil || n == 0 || n > 0o777 || strings.ContainsAny(f.Mode, "_+") {
		return 0, argError("mode", "%q is no octal file mode from \"0001\" to \"0777\", such as \"0644\"", f.Mode)
	}
	return fs.FileMode(n), nil
}

// needsRoot tells whether a place is another's than the login user's.
func needsRoot(destination, user string) bool {
	if !strings.HasPrefix(destination, "/") {
		return false // relative to the user's home
	}
	p := path.Clean(destination)
	for _, own := range []string{"/home/" + user, "/tmp"} {
		if p == own || strings.HasPrefix(p, own+"/") {
			return false
		}
	}
	return true
}

func argError(arg, format string, a ...any) error {
	return &provisioner.ArgError{Arg: arg, Err: fmt.Errorf(format, a...)}
}
