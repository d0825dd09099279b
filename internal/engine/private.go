package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/berth-dev/berth/config"
)

// An Envfile that came with a project is not the user's word for what boxes may
// have of the host. Files of the user's own are: nothing of theirs is refused here.

// secrets are the folders in a home that are never given to a box: keys, and
// settings that say what programs the host runs; and files that hold passwords.
var secrets = []string{
	".ssh", ".gnupg", ".config", ".local", ".aws", ".kube", ".docker", ".password-store",
	".netrc", ".git-credentials", ".pgpass",
}

// private says why no box gets what is at path, and which place that is; "": one
// that holds other things as well.
func (e *Engine) private(path string) (place string, why error) {
	if path == "/" {
		return "", errors.New("/ is the whole host")
	}
	for _, s := range []string{"/proc", "/sys", "/dev", "/run", "/boot"} {
		if within(path, s) {
			return s, fmt.Errorf("%s belongs to the host's system", path)
		}
	}
	for _, home := range homes() {
		if within(home, path) {
			return "", fmt.Errorf("%s holds the home %s; name folders in it", path, home)
		}
		for _, s := range secrets {
			if place := filepath.Join(home, s); within(path, place) {
				return place, fmt.Errorf("%s is for keys and settings of your own, which no box gets", place)
			}
		}
	}
	if data := realPath(e.Home.Dir()); within(path, data) {
		return data, fmt.Errorf("%s is Berth's own data", path)
	}
	return "", nil
}

// notInProject are the words for what the user can do.
const notInProject = " An Envfile of a project cannot have it; your own files can: Envfile.local, or the one for all your projects."

// checkInput refuses a file that a step of the project's Envfile is not to read.
// What does not exist, the step complains of.
func (e *Engine) checkInput(input string) error {
	root := realPath(e.Envfile.Root)
	real, ours := e.realInput(input)
	st, err := os.Stat(real)
	if err != nil {
		return nil
	}
	place, why := e.private(real)
	switch inside := within(real, root); {
	case why != nil && (place == "" || !within(root, place)): // else the project itself is there
		return why
	case ours && !inside:
		return fmt.Errorf("%s leads to %s by a symbolic link, which is not followed: name that itself", input, real)
	case inside:
		return nil
	case ownerOf(st) != 0 || UserHome() != "" && within(real, UserHome()): // who is root has a home as well
		return e.checkOwner(real, st, config.Folder{})
	case st.IsDir():
		return fmt.Errorf("%s belongs to root and is not in the project, and a copy would take what only root may read", real)
	case !othersMay(real, st, 0o004):
		return fmt.Errorf("%s belongs to root, and other users may not read it", real)
	}
	return nil
}

// realInput is where an input of a step really is, and whether it is written as a
// part of the project. ".." is left to [realPath]: behind a link it leads elsewhere.
func (e *Engine) realInput(input string) (real string, ours bool) {
	if !filepath.IsAbs(input) {
		return realPath(e.Envfile.Root + "/" + input), filepath.IsLocal(input)
	}
	return realPath(input), within(filepath.Clean(input), filepath.Clean(e.Envfile.Root)) || within(filepath.Clean(input), realPath(e.Envfile.Root))
}

// othersMay reports whether a file has a permission for all users, and they get to
// it.
func othersMay(path string, st fs.FileInfo, what fs.FileMode) bool {
	if st.Mode().Perm()&what != what {
		return false
	}
	for dir := filepath.Dir(path); dir != "/"; dir = filepath.Dir(dir) {
		if st, err := os.Stat(dir); err != nil || st.Mode().Perm()&0o001 == 0 {
			return false
		}
	}
	return true
}

// checkInputs complains of what a step is not to read, at its place.
func (e *Engine) checkInputs(box string, s *step, in *hcl.EvalContext) hcl.Diagnostics {
	if s.block.DeclRange.Filename != e.Envfile.Path { // the user's own, wherever it stands
		return nil
	}
	var diags hcl.Diagnostics
	for _, input := range s.inputs {
		if err := e.checkInput(input); err != nil {
			at := inputRange(s.block, in, input)
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Unsuitable file", Subject: &at,
				Detail: fmt.Sprintf("The step %s of box %q cannot read %q: %s.%s", s.title(), box, input, err, notInProject),
			})
		}
	}
	return diags
}

// inputRange returns where the name of a step's input was written, as far as that
// can be seen.
func inputRange(p *config.Provisioner, in *hcl.EvalContext, input string) hcl.Range {
	attrs, _ := p.Body.JustAttributes() // it complains of blocks
	for _, a := range attrs {
		v, _ := a.Expr.Value(in)
		if v, _ = v.Unmark(); v.IsKnown() && !v.IsNull() && v.Type() == cty.String && v.AsString() == input {
			return a.Expr.Range()
		}
	}
	return p.DeclRange
}

// sayInputs says what a step is about to read of the host beside the project.
func (e *Engine) sayInputs(t *target, s *step) {
	for _, input := range s.inputs {
		if path, _ := e.realInput(input); !within(path, realPath(e.Envfile.Root)) {
			t.voice.Say("reads %s of this host", path)
		}
	}
}

// checkReversed complains about what boxes are not to reach of the host, and about
// packets that the host cannot bring to them, each at its place.
func (e *Engine) checkReversed(boxes []*config.Box) (diags hcl.Diagnostics) {
	for _, b := range boxes {
		for _, f := range b.Forwards {
			var why error
			switch {
			case f.Reverse && f.Host.Path != "" && f.DeclRange.Filename == e.Envfile.Path:
				why = e.checkSocket(e.hostEnd(f.Host).Path)
			case f.Protocol == "udp" && f.GuestIP != "" && os.Geteuid() != 0:
				at := f.DeclRange
				diags = append(diags, &hcl.Diagnostic{
					Severity: hcl.DiagError, Summary: "Unsuitable forward", Subject: &at,
					Detail: fmt.Sprintf("The forward %q of box %q leads to %s, and the host reaches the boxes of a user by their address on eth0 only: "+
						`leave "guest_ip" out, or run berth as root.`, f.Name, b.Name, f.GuestIP),
				})
			}
			if why != nil {
				at := f.HostRange
				diags = append(diags, &hcl.Diagnostic{
					Severity: hcl.DiagError, Summary: "Unsuitable forward", Subject: &at,
					Detail: fmt.Sprintf("The forward %q cannot lead box %q to %s: %s.%s", f.Name, b.Name, f.Host.Path, why, notInProject),
				})
			}
		}
	}
	return distinctDiags(diags)
}

// checkSocket refuses a socket that is the host's own business.
func (e *Engine) checkSocket(path string) error {
	real, root := realPath(path), realPath(e.Envfile.Root)
	if real == path { // it may not be there yet
		real = filepath.Join(realPath(filepath.Dir(path)), filepath.Base(path))
	}
	if place, why := e.private(real); why != nil && (place == "" || !within(root, place)) {
		return why
	}
	st, err := os.Stat(real)
	if err != nil || within(real, root) || ownerOf(st) != 0 || othersMay(real, st, 0o002) {
		return nil
	}
	return fmt.Errorf("%s belongs to root, and other users may not use it", real)
}
