package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/engine"
	"github.com/berth-dev/berth/internal/state"
)

func fmtCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:        "fmt",
		Usage:       "write the Envfile, and Envfile.local, in the usual form",
		Description: "It writes the names of the files that it changed, or with --check of those that it would change.",
		Flags:       []cli.Flag{&cli.BoolFlag{Name: "check", Usage: "change nothing, and exit with status 1 if a file would be changed"}},
		Action: func(c *cli.Context) error {
			path, err := config.Find(".")
			if err != nil {
				return err
			}
			changed := false
			for _, name := range []string{config.FileName, config.LocalFileName} {
				did, err := d.format(filepath.Dir(path), name, c.Bool("check"))
				if err != nil {
					return err
				}
				changed = changed || did
			}
			if changed && c.Bool("check") {
				return statusError(exitFailed)
			}
			return nil
		},
	}
}

// format brings one file of a folder into its form. No link leads out of the
// folder: root may run this where a box can write.
func (d *deps) format(dir, name string, check bool) (changed bool, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, err
	}
	defer root.Close()
	text, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("format %s: %w", name, err)
	}
	path := filepath.Join(dir, name)
	file, diags := hclsyntax.ParseConfig(text, path, hcl.InitialPos)
	if diags.HasErrors() {
		d.files = map[string]*hcl.File{path: file}
		return false, &engine.DiagError{Diags: diags}
	}
	formatted := hclwrite.Format(text)
	if bytes.Equal(text, formatted) {
		return false, nil
	}
	fmt.Fprintln(d.ui.Out, path)
	if check {
		return true, nil
	}
	old, err := root.Stat(name)
	if err == nil {
		err = state.Replace(root, name, formatted, old, old.Mode().Perm())
	}
	if err != nil {
		return false, fmt.Errorf("format %s: %w", name, err)
	}
	return true, nil
}
