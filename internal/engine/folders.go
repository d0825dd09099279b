package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/hashicorp/hcl/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// protected are the files at the top of a folder that Berth reads or writes as
// the user: whoever writes them says what the host does.
var protected = []string{config.FileName, config.LocalFileName, state.LockFileName, ".berth"}

// specFolders are the folders that the provider mounts.
func (e *Engine) specFolders(b *config.Box) []provider.Folder {
	var folders []provider.Folder
	for _, f := range b.Folders {
		if f.Type == config.FolderBind {
			folders = append(folders, provider.Folder{
				Source: e.folderPath(f.Source), Target: f.Target, ReadOnly: f.ReadOnly, Protect: slices.Clone(protected),
			})
		}
	}
	return folders
}

// folderPath returns where a folder's source is. Links on the way to the
// project's folder are the user's own, who went there; those beyond it are not
// followed here.
func (e *Engine) folderPath(source string) string {
	if rest, ok := strings.CutPrefix(source, "~"); ok {
		if home := UserHome(); home != "" && (rest == "" || rest[0] == '/') {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(source) {
		return filepath.Clean(source)
	}
	return filepath.Join(realPath(e.Envfile.Root), source)
}

// UserHome is the home of who runs this: with sudo, $HOME may be root's. Empty: it
// has none.
func UserHome() string {
	if home := homeOf(sudoUser()); sudoUser() != 0 && home != "" {
		return home
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return realPath(home)
}

// realPath follows all links; a path that cannot be followed stays as it is.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

// checkFolders complains about folders that boxes cannot have, each at its place.
// It changes nothing. The provider looks again, at the very folder that it
// mounts.
func (e *Engine) checkFolders(boxes []*config.Box) error {
	if diags := e.folderDiags(boxes); diags.HasErrors() {
		return &DiagError{diags}
	}
	return nil
}

func (e *Engine) folderDiags(boxes []*config.Box) (diags hcl.Diagnostics) {
	for _, b := range boxes {
		for _, f := range b.Folders {
			if err := e.checkFolder(f); err != nil {
				at, hint := b.Range("folder."+f.Target), ""
				if f.Implied {
					hint = ` A box has it unless the Envfile says otherwise: folder "." { disabled = true }.`
				}
				diags = append(diags, &hcl.Diagnostic{
					Severity: hcl.DiagError, Summary: "Unsuitable folder", Subject: &at,
					Detail: fmt.Sprintf("The box %q cannot have the folder %q at %s: %s.%s", b.Name, f.Source, f.Target, err, hint),
				})
			}
		}
	}
	return diags
}

func (e *Engine) checkFolder(f config.Folder) error {
	path := e.folderPath(f.Source)
	st, err := os.Stat(path)
	switch {
	case strings.HasPrefix(path, "~"):
		return errors.New("$HOME is not set, so nobody knows where ~ is")
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s; make it, or correct the name", path)
	case err != nil:
		return err
	case !st.IsDir():
		return fmt.Errorf("%s is not a folder", path)
	}
	if f.Type == config.FolderRsync {
		dir, err := e.openCopy(f)
		if err != nil {
			return err
		}
		return dir.Close()
	}
	return e.checkReal(realPath(path), st, f)
}

// checkReal checks a folder by where it really is.
func (e *Engine) checkReal(path string, st fs.FileInfo, f config.Folder) error {
	for _, check := range []func(string, fs.FileInfo, config.Folder) error{e.checkOwner, e.checkPrivate, e.checkProject} {
		if err := check(path, st, f); err != nil {
			return err
		}
	}
	return nil
}

// checkOwner: only folders of who asks for them, or of nobody in particular.
func (e *Engine) checkOwner(path string, st fs.FileInfo, _ config.Folder) error {
	uid := ownerOf(st)
	mine := []uint32{0, uint32(os.Geteuid()), sudoUser()}
	if root, err := os.Stat(e.Envfile.Root); err == nil {
		mine = append(mine, ownerOf(root))
	}
	if slices.Contains(mine, uid) {
		return nil
	}
	return fmt.Errorf("%s belongs to user %d, and a box gets only folders of yours, of the owner of the project's folder, or of root", path, uid)
}

// checkPrivate: what holds keys or decides what the host runs stays there.
func (e *Engine) checkPrivate(path string, st fs.FileInfo, f config.Folder) error {
	if _, why := e.private(path); why != nil {
		return why
	}
	data := realPath(e.Home.Dir())
	if within(data, path) && !f.ReadOnly && f.Type == config.FolderBind && ownerOf(st) != 0 {
		return fmt.Errorf("it holds Berth's own data, %s: write readonly = true, or move the data with $BERTH_HOME", data)
	}
	return nil
}

// checkProject: nobody gets around the protection of the project's own files.
func (e *Engine) checkProject(path string, _ fs.FileInfo, f config.Folder) error {
	root := realPath(e.Envfile.Root)
	if within(path, filepath.Join(root, ".berth")) {
		return errors.New(".berth is what Berth knows of the project")
	}
	if path != root && within(root, path) && !f.ReadOnly && f.Type == config.FolderBind {
		return fmt.Errorf("it holds the project's folder, and the box could change its Envfile: write readonly = true, or name another folder")
	}
	return nil
}

// homes are the homes that are nobody else's business: root's, and the one of
// who runs this, by both names that it may have.
func homes() []string {
	all := []string{"/root"}
	for _, home := range []string{UserHome(), realPath(os.Getenv("HOME"))} {
		if filepath.IsAbs(home) && home != "/" {
			all = append(all, home)
		}
	}
	return all
}

func ownerOf(st fs.FileInfo) uint32 {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return sys.Uid
	}
	return 0
}

// within reports whether path is dir or in it. Both are clean.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
