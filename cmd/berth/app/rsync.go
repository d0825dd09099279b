package app

import (
	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/engine"
)

func rsyncCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "rsync",
		Usage:     "copy the folders of type \"rsync\" into boxes again",
		ArgsUsage: "[NAME...]",
		Description: "Without names: all boxes that have such folders and have been started. What is no longer on\n" +
			"the host is deleted in the box; nothing is copied back.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "go on copying what changes, until interrupted"},
		},
		Action: func(c *cli.Context) error {
			e, err := d.engine(false)
			if err != nil {
				return err
			}
			var never error // why a box that has copies gets none now
			boxes, err := engine.Select(e.Envfile, c.Args().Slice(), func(b *config.Box) bool {
				if !engine.HasCopies(b) {
					return false
				}
				_, err := e.Access(b)
				if err != nil {
					never = err
				}
				return err == nil
			})
			if err != nil {
				return err
			}
			if len(boxes) == 0 && never != nil {
				return never
			}
			return e.Rsync(c.Context, boxes, c.Bool("watch"))
		},
	}
}
