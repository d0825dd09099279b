package app

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/internal/engine"
)

func globalStatusCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:        "global-status",
		Usage:       "show the boxes of all projects",
		Description: "All that are in this data home: root's boxes and a user's are in homes of their own.",
		Flags:       []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			e, err := d.bareEngine()
			if err != nil {
				return err
			}
			all, err := e.All(c.Context)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				boxes := make([]globalJSON, 0, len(all))
				for _, s := range all {
					boxes = append(boxes, globalJSON{s.Record.Project, s.Record.Root, statusOf(s)})
				}
				return writeJSON(d.ui.Out, map[string]any{"boxes": boxes})
			}
			return writeGlobal(d.ui.Out, all)
		},
	}
}

// globalJSON is a box in `berth global-status --json`. Fields are added, never
// changed.
type globalJSON struct {
	Project string `json:"project"`
	Folder  string `json:"folder"`
	statusJSON
}

func writeGlobal(w io.Writer, all []engine.Status) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "There is no box.")
		return err
	}
	tw := newTable(w, "PROJECT", "BOX", "STATE", "PROVIDER", "FOLDER")
	var notes []string
	for _, s := range all {
		tw.row(s.Record.Project, s.Name, string(s.State), s.Provider, s.Record.Root)
		if s.Problem != "" {
			notes = append(notes, s.Record.Project+", "+s.Name+": "+s.Problem)
		}
	}
	if err := tw.flush(); err != nil {
		return err
	}
	return writeNotes(w, notes)
}
