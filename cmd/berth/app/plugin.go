package app

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"
)

func pluginCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:  "plugin",
		Usage: "show which plugins there are",
		Subcommands: []*cli.Command{{
			Name:   "list",
			Usage:  "list providers and provisioners",
			Flags:  []cli.Flag{jsonFlag()},
			Action: func(c *cli.Context) error { return d.listPlugins(c.Bool("json")) },
		}},
	}
}

// pluginJSON is a plugin in `berth plugin list --json`.
type pluginJSON struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Builtin bool   `json:"builtin"`
	Path    string `json:"path,omitempty"`
	Problem string `json:"problem,omitempty"`
}

func (d *deps) listPlugins(asJSON bool) error {
	home, err := d.home()
	if err != nil {
		return err
	}
	found, err := d.plugins(home, "").List()
	if err != nil {
		return err
	}
	if asJSON {
		all := make([]pluginJSON, 0, len(found))
		for _, p := range found {
			all = append(all, pluginJSON{p.Kind, p.Name, p.Path == "", p.Path, p.Problem})
		}
		return writeJSON(d.ui.Out, map[string]any{"plugins": all})
	}
	tw := newTable(d.ui.Out, "KIND", "NAME", "WHERE")
	for _, p := range found {
		where := p.Path
		if where == "" {
			where = "built in"
		}
		if p.Problem != "" {
			where += " (not used: " + p.Problem + ")"
		}
		tw.row(p.Kind, p.Name, where)
	}
	return tw.flush()
}

func versionCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "show which berth this is",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if c.Bool("json") {
				return writeJSON(d.ui.Out, map[string]any{
					"version": Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
				})
			}
			_, err := fmt.Fprintln(d.ui.Out, versionText())
			return err
		},
	}
}

func versionText() string {
	return fmt.Sprintf("berth %s (%s, %s/%s)", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
