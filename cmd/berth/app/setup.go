package app

import (
	"errors"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/internal/setup"
)

func setupCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "setup",
		Usage:     "prepare this host, once, for a user's boxes without root (run with sudo)",
		UsageText: "sudo berth setup [--user NAME] [--dry-run] [--undo]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "user", Usage: "prepare the host for `NAME` instead of for who ran sudo"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only say what would be changed"},
			&cli.BoolFlag{Name: "undo", Usage: "take back what setup has changed"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() { // "setup undo" must not set the host up
				return &usageError{text: "setup takes no names; --undo takes back what it has changed"}
			}
			if err := onlyRoot(); err != nil {
				return err
			}
			o := setup.Options{User: c.String("user"), DryRun: c.Bool("dry-run"), Out: d.ui.Out}
			if o.User == "" {
				o.User = os.Getenv("SUDO_USER")
			}
			if c.Bool("undo") {
				return setup.Undo(c.Context, o)
			}
			return setup.Run(c.Context, o)
		},
		Subcommands: []*cli.Command{{
			Name:   "network",
			Hidden: true,
			Usage:  "make again what a reboot has taken away; the host's init runs this",
			Action: func(*cli.Context) error {
				if err := onlyRoot(); err != nil {
					return err
				}
				return setup.MakeNetworks(os.Stderr)
			},
		}},
	}
}

func onlyRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("the host is root's to prepare: sudo berth setup")
	}
	return nil
}
