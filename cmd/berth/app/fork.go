package app

import (
	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/internal/engine"
)

func forkCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "fork",
		Usage:     "make a second box with the disk that a box has now, and start it",
		ArgsUsage: "BOX NEW",
		Description: "The first box may run, and goes on. NEW has an identity, an address and forwards of its own: ports\n" +
			"of the host are chosen for it (berth port NEW). It need not be in the Envfile, and is configured like\n" +
			"BOX; all commands know it, but up without names does not start it.",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "no-start", Usage: "leave the new box halted"}},
		Action: func(c *cli.Context) error {
			if c.NArg() != 2 {
				return &usageError{text: "fork takes a box and the name of the new one: berth fork web web-2"}
			}
			return d.onExisting(c.Args().First(), func(e *engine.Engine, x *engine.Existing) error {
				return e.Fork(c.Context, x, c.Args().Get(1), !c.Bool("no-start"))
			})
		},
	}
}
