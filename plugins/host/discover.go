package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/agext/levenshtein"

	"github.com/berth-dev/berth/plugins/internal/wire"
)

// systemDir is where a distribution's packages put plugins.
const systemDir = "/usr/libexec/berth/plugins"

// nameForm is the form of a plugin's name. A name becomes part of a path.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func binaryName(kind, name string) string { return "berth-" + kind + "-" + name }

// place is a folder that is searched for plugins.
type place struct {
	dir     string
	problem string // why it is ignored
}

func (p place) String() string {
	if p.problem != "" {
		return p.dir + " (ignored: " + p.problem + ")"
	}
	return p.dir
}

// places returns the folders in their order. The working directory and $PATH
// are not among them: berth may run as root in a folder that came with a clone.
func (m *Manager) places() []place {
	var all []place
	for _, dir := range filepath.SplitList(m.o.Path) {
		switch {
		case dir == "":
		case !filepath.IsAbs(dir):
			all = append(all, place{dir, "not an absolute path"})
		default:
			all = append(all, place{dir: filepath.Clean(dir)})
		}
	}
	if m.o.DataHome != "" {
		all = append(all, place{dir: filepath.Join(m.o.DataHome, "plugins")})
	}
	return append(all, place{dir: systemDir})
}

// find returns the command that starts the plugin k.
func (m *Manager) find(k key) (path string, args []string, err error) {
	missing := &NotFoundError{Kind: k.kind, Name: k.name}
	for _, p := range m.places() {
		missing.Searched = append(missing.Searched, p.String())
		if p.problem != "" {
			m.o.Log.Warn("folder of $BERTH_PLUGIN_PATH ignored", "folder", p.dir, "problem", p.problem)
			continue
		}
		if !nameForm.MatchString(k.name) {
			continue
		}
		path := filepath.Join(p.dir, binaryName(k.kind, k.name))
		if _, err := os.Lstat(path); err != nil {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
				continue
			}
			return "", nil, &StartError{Kind: k.kind, Name: k.name, Path: path, Reason: "cannot be read: " + cause(err)}
		}
		if problem := distrust(path); problem != "" {
			return "", nil, &StartError{Kind: k.kind, Name: k.name, Path: path, Reason: problem}
		}
		return path, nil, nil
	}
	if m.o.Builtin != nil && m.o.Builtin(k.kind, k.name) {
		self, err := m.self()
		return self, []string{"plugin", "serve", k.kind, k.name}, err
	}
	missing.Near = near(k.name, m.names(k.kind))
	if m.o.BuiltinNames != nil {
		missing.Builtin = m.o.BuiltinNames(k.kind)
	}
	return "", nil, missing
}

func (m *Manager) self() (string, error) {
	if m.o.Self != "" {
		return m.o.Self, nil
	}
	return os.Executable()
}

// distrust says why the plugin at path is not run, or "". Whoever can write to
// the file or its folder could run code as us.
func distrust(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "cannot be read: " + cause(err)
	}
	for _, f := range []string{path, filepath.Dir(path), real, filepath.Dir(real)} {
		info, err := os.Stat(f)
		if err != nil {
			return "cannot be read: " + cause(err)
		}
		subject := "is"
		if f != path {
			subject = "is refused: " + f + " is"
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 && int(uid) != os.Geteuid() {
			return fmt.Sprintf("%s owned by user %d, not by root or user %d (chown)", subject, uid, os.Geteuid())
		}
		if info.Mode().Perm()&0o002 != 0 {
			return subject + " writable by everybody (chmod o-w)"
		}
	}
	switch info, err := os.Stat(real); {
	case err != nil:
		return "cannot be read: " + cause(err)
	case !info.Mode().IsRegular():
		return "is not a file"
	case info.Mode().Perm()&0o111 == 0:
		return "is not executable (chmod +x)"
	}
	return ""
}

// cause is the text of err without the path, which the caller has said.
func cause(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// names returns the names of all plugins of a kind.
func (m *Manager) names(kind string) []string {
	infos, _ := m.List() // never fails; the signature leaves room
	var names []string
	for _, i := range infos {
		if i.Kind == kind {
			names = append(names, i.Name)
		}
	}
	return names
}

// near returns the name most like the unknown one, if any is like it.
func near(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := levenshtein.Distance(name, k, nil); d < distance && d < len(name) {
			best, distance = k, d
		}
	}
	return best
}

// Info describes a plugin that is installed or built in.
type Info struct {
	Kind    string // "provider" or "provisioner"
	Name    string
	Path    string // the binary; "" for a built-in one
	Problem string // why it would not be run, or ""
}

// List returns the plugins that would be found, without starting any: one for
// each kind and name, sorted. One that hides a built-in plugin is listed alone.
func (m *Manager) List() ([]Info, error) {
	seen := map[key]bool{}
	var all []Info
	add := func(i Info) {
		if k := (key{i.Kind, i.Name}); !seen[k] {
			seen[k] = true
			all = append(all, i)
		}
	}
	kinds := []string{wire.Provider, wire.Provisioner}
	for _, p := range m.places() {
		entries, _ := os.ReadDir(p.dir) // a folder that is not there holds nothing
		for _, e := range entries {
			for _, kind := range kinds {
				name, ok := strings.CutPrefix(e.Name(), binaryName(kind, ""))
				if !ok || !nameForm.MatchString(name) || p.problem != "" {
					continue
				}
				path := filepath.Join(p.dir, e.Name())
				add(Info{Kind: kind, Name: name, Path: path, Problem: distrust(path)})
			}
		}
	}
	for _, kind := range kinds {
		if m.o.BuiltinNames != nil {
			for _, name := range m.o.BuiltinNames(kind) {
				add(Info{Kind: kind, Name: name})
			}
		}
	}
	slices.SortFunc(all, func(a, b Info) int {
		return strings.Compare(a.Kind+" "+a.Name, b.Kind+" "+b.Name)
	})
	return all, nil
}
