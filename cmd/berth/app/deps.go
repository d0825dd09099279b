package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/engine"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/plugins/builtin"
	"github.com/berth-dev/berth/plugins/host"
)

// deps are what commands share, made when it is first needed.
type deps struct {
	ui      *ui.UI
	args    []string // the command line
	log     *slog.Logger
	vars    map[string]string
	command string          // as typed, for whoever meets our locks
	ctx     context.Context // of the whole command

	files   map[string]*hcl.File // what diagnostics are about
	mu      sync.Mutex
	manager *host.Manager
}

// before reads the flags that all commands have.
func (d *deps) before(c *cli.Context) error {
	d.ctx = c.Context
	w := io.Discard
	if c.Bool("debug") {
		w = d.ui.Err
	}
	d.log = slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
	d.command = strings.Join(append([]string{"berth"}, c.Args().Slice()...), " ")
	d.vars = map[string]string{}
	for _, v := range c.StringSlice("var") {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return &usageError{text: "--var takes NAME=VALUE, not " + v}
		}
		d.vars[name] = value
	}
	if dir := c.String("chdir"); dir != "" {
		if err := os.Chdir(dir); err != nil {
			return &usageError{text: "--chdir: " + err.Error()}
		}
	}
	return nil
}

// home returns the data home.
func (d *deps) home() (*state.Home, error) {
	dir, err := state.DefaultDir(os.Getenv, os.Geteuid())
	if err != nil {
		return nil, err
	}
	return state.Open(dir)
}

// engine loads the Envfile and returns the engine for it. With lenient set,
// problems with the file are shown and do not stop the command, which then knows
// the project's boxes from their records alone: a mistake in the file must not
// keep anyone from halting a box.
func (d *deps) engine(lenient bool) (*engine.Engine, error) {
	path, err := config.Find(".")
	if err != nil {
		return nil, err
	}
	if err := engine.CheckLocal(filepath.Dir(path)); err != nil {
		if !lenient {
			return nil, err
		}
		d.ui.Warn(err.Error())
	}
	file, diags, err := d.load(d.ctx, path)
	if err != nil {
		return nil, err
	}
	d.files = file.Files
	if diags.HasErrors() {
		if !lenient {
			return nil, &engine.DiagError{Diags: diags}
		}
		d.diagnose(diags)
		d.ui.Warn("the Envfile has problems; this command goes on with what is known of existing boxes")
		file = &config.Envfile{Path: path, Root: filepath.Dir(path)}
	}
	home, err := d.home()
	if err != nil {
		return nil, err
	}
	project, _, err := home.FindProject(file.Root)
	if err != nil {
		return nil, err
	}
	if project.Moved != "" {
		d.log.Debug("project moved", "from", project.Moved, "to", project.Root)
		if project, err = home.EnsureProject(file.Root); err != nil { // so that a copy of it is not taken for it
			return nil, err
		}
	}
	e := &engine.Engine{
		Envfile: file, Unread: diags.HasErrors(), Home: home, Project: project, Plugins: pluginsOf(d, home, file.Root),
		UI: d.ui, Command: d.command, Host: engine.ReadHost(os.Getenv),
		Processes: d.processes, Build: build(), PluginFile: d.pluginFile(home, file.Root),
	}
	return e, e.AddForks()
}

// build tells this berth from others. One that has no version of its own is told
// by its file.
func build() string {
	if Version != "dev" && !strings.HasSuffix(Version, "-dirty") {
		return Version
	}
	self, err := os.Executable()
	if err != nil {
		return Version
	}
	st, err := os.Stat(self)
	if err != nil {
		return Version
	}
	return fmt.Sprintf("%s %d %d", Version, st.Size(), st.ModTime().UnixNano())
}

// userFile returns the path of the user's own defaults.
func userFile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "berth", "Envfile")
}

// plugins returns the manager of plugins that work in a folder.
func (d *deps) plugins(home *state.Home, dir string) *host.Manager {
	d.mu.Lock() // plugins are started several at a time
	defer d.mu.Unlock()
	if d.manager == nil {
		d.manager = host.New(host.Options{
			DataHome: home.Dir(), Project: dir, Log: d.log, Path: os.Getenv("BERTH_PLUGIN_PATH"),
			Builtin: builtin.Has, BuiltinNames: builtin.Names,
		})
	}
	return d.manager
}

// processes are those of plugins that run; none is started for the question.
func (d *deps) processes() []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.manager == nil {
		return nil
	}
	return d.manager.Processes()
}

// pluginFile finds the binaries of external plugins.
func (d *deps) pluginFile(home *state.Home, dir string) func(kind, name string) string {
	return func(kind, name string) string {
		all, _ := d.plugins(home, dir).List() // never fails
		for _, p := range all {
			if p.Kind == kind && p.Name == name {
				return p.Path
			}
		}
		return ""
	}
}

func (d *deps) close() {
	if d.manager != nil {
		d.manager.Close()
	}
}

// pluginSource gives the engine its plugins.
type pluginSource struct{ manager func() *host.Manager }

func pluginsOf(d *deps, home *state.Home, dir string) engine.Plugins {
	return pluginSource{func() *host.Manager { return d.plugins(home, dir) }}
}

func (s pluginSource) Provider(ctx context.Context, name string) (engine.ProviderPlugin, error) {
	p, err := s.manager().Provider(ctx, name)
	if err != nil {
		return nil, unknown(err)
	}
	return p, nil
}

func (s pluginSource) Provisioner(ctx context.Context, name string) (engine.ProvisionerPlugin, error) {
	p, err := s.manager().Provisioner(ctx, name)
	if err != nil {
		return nil, unknown(err)
	}
	return p, nil
}

// unknown marks the error for a plugin that does not exist, for the engine.
func unknown(err error) error {
	var missing *host.NotFoundError
	if errors.As(err, &missing) {
		return &engine.UnknownPluginError{Err: err}
	}
	return err
}
