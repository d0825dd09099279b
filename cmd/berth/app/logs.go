package app

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/internal/ui"
)

func logsCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "logs",
		Usage:     "show the ends of a box's logs: its console and what its provider logged",
		ArgsUsage: "BOX",
		Flags:     []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return &usageError{text: "logs takes one box"}
			}
			e, err := d.engine(true)
			if err != nil {
				return err
			}
			logs, err := e.Logs(c.Context, c.Args().First())
			if err != nil {
				return err
			}
			if c.Bool("json") {
				all := []logJSON{}
				for _, l := range logs {
					all = append(all, logJSON{l.Name, l.Path, strings.ToValidUTF8(l.Tail, "\uFFFD")})
				}
				return writeJSON(d.ui.Out, map[string]any{"logs": all})
			}
			for _, l := range logs {
				// What a box has written must not command the terminal.
				text := strings.TrimRight(ui.Printable(l.Tail, false), "\n")
				if _, err := fmt.Fprintf(d.ui.Out, "==> %s (%s)\n%s\n", l.Name, l.Path, text); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// logJSON is a log in `berth logs --json`. Fields are added, never changed.
type logJSON struct {
	Name string `json:"name"`
	Path string `json:"path"`
	Tail string `json:"tail"`
}
