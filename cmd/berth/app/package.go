package app

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/internal/engine"
)

func packageCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "package",
		Usage:     "write a box into a file from which other hosts can make boxes",
		ArgsUsage: "[BOX]",
		Description: "The file holds the whole disk, and nothing that makes the box itself: no keys, no machine id, no journal,\n" +
			"nor what is in /tmp. Whatever else is on the disk is in it, secrets too. A box that runs goes on.\n" +
			"berth image import makes an image from the file.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE` (default: BOX.berth)"},
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "replace a file that is there"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return &usageError{text: "package takes one box"}
			}
			return d.onExisting(c.Args().First(), func(e *engine.Engine, x *engine.Existing) error {
				file := c.String("output")
				if file == "" {
					file = fmt.Sprintf("%s.berth", x.Name())
				}
				return e.Package(c.Context, x, file, c.Bool("force"))
			})
		},
	}
}
