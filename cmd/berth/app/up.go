package app

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/engine"
)

func upCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "up",
		Usage:     "create, start and provision boxes",
		ArgsUsage: "[NAME...]",
		Description: "Without names: all boxes but those with autostart = false. A box that runs goes on running: limits and\n" +
			"forwards that have changed are applied, folders of type \"rsync\" are copied again, and other changes are\n" +
			"named, with the command that applies them. Steps run until each has succeeded once; a later up goes on at\n" +
			"one that failed or was interrupted, also when berth provision was running it. In a box that is provisioned\n" +
			"otherwise only steps that always run do, and new or changed ones are named: berth provision runs them.\n" +
			"What a box depends on comes up before it, named or not. Names may be patterns: berth up 'web-*'.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "no-provision", Usage: "run no provisioning steps"},
			&cli.BoolFlag{Name: "no-cache", Usage: "make new boxes from their bare image, without checkpoints, and run all steps"},
			&cli.BoolFlag{Name: "no-destroy-on-error", Usage: "keep a new box that does not boot, to look at it"},
			&cli.StringFlag{Name: "on-error", Usage: "`WHAT` to do with a box in which a step fails: keep it, open a shell in it, or destroy it if it is new", Value: "keep", DefaultText: "keep"},
			&cli.BoolFlag{Name: "frozen", Usage: "fail on any difference from Envfile.lock"},
			&cli.BoolFlag{Name: "offline", Usage: "download nothing; say what is missing"},
			parallelFlag(),
			&cli.DurationFlag{Name: "boot-timeout", Usage: "wait `TIME` for a box to answer, such as 90s", DefaultText: "what the Envfile says"},
		},
		Action: func(c *cli.Context) error {
			e, err := d.engine(false)
			if err != nil {
				return err
			}
			if e.Parallel, err = parallel(c); err != nil {
				return err
			}
			boxes, err := engine.Select(e.Envfile, c.Args().Slice(), func(b *config.Box) bool { return b.Autostart })
			if err != nil {
				return err
			}
			onError, err := d.onError(c.String("on-error"))
			if err != nil {
				return err
			}
			return e.Up(c.Context, boxes, engine.UpOptions{
				OnError:     onError,
				Shell:       func(ctx context.Context, a engine.Access) error { return d.lookAround(ctx, e, a) },
				NoProvision: c.Bool("no-provision"),
				NoCache:     c.Bool("no-cache"),
				Keep:        c.Bool("no-destroy-on-error"),
				BootTimeout: c.Duration("boot-timeout"),
				Frozen:      c.Bool("frozen"),
				Offline:     c.Bool("offline"),
			})
		},
	}
}

// onError reads --on-error.
func (d *deps) onError(what string) (engine.OnError, error) {
	switch o := engine.OnError(what); o {
	case engine.KeepOnError, engine.DestroyOnError:
		return o, nil
	case engine.ShellOnError:
		if !d.ui.Interactive() || !term.IsTerminal(int(os.Stdout.Fd())) {
			return "", &usageError{text: "--on-error=shell needs a terminal, and there is none here"}
		}
		return o, nil
	}
	return "", &usageError{text: fmt.Sprintf("--on-error takes keep, shell or destroy, not %q", what)}
}

// lookAround gives the user a shell in a box. How that ends is no matter.
func (d *deps) lookAround(ctx context.Context, e *engine.Engine, a engine.Access) error {
	err := d.runInBox(ctx, e, a, "", false)
	var status statusError
	if errors.As(err, &status) {
		return nil
	}
	return err
}

func parallelFlag() cli.Flag {
	return &cli.IntFlag{Name: "parallel", Usage: "work on `N` boxes at once; 1 for one after another", DefaultText: "up to 10"}
}

// parallel returns how many boxes are worked on at once, 0 for the default.
func parallel(c *cli.Context) (int, error) {
	n := c.Int("parallel")
	if c.IsSet("parallel") && n < 1 {
		return 0, &usageError{text: fmt.Sprintf("--parallel takes a number from 1 on, not %d", n)}
	}
	return n, nil
}

// errNoBox is the answer to a command for all boxes that exist.
var errNoBox = errors.New("no box exists: berth up creates them")

func provisionCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "provision",
		Usage:     "run the provisioning steps that are new, changed or failed",
		ArgsUsage: "[NAME...]",
		Description: "Without names: all boxes that exist. Steps that always run do so here too; those with run = \"never\" only\n" +
			"when --with names them.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "run all steps but those with run = \"never\""},
			&cli.StringSliceFlag{Name: "with", Usage: "run the steps of this `NAME` or type only (repeatable)"},
			parallelFlag(),
		},
		Action: func(c *cli.Context) error {
			e, err := d.engine(false)
			if err != nil {
				return err
			}
			if e.Parallel, err = parallel(c); err != nil {
				return err
			}
			// Without names: the boxes that exist.
			existing, err := e.Existing(nil)
			if err != nil {
				return err
			}
			exists := map[string]bool{}
			for _, x := range existing {
				exists[x.Name()] = true
			}
			boxes, err := engine.Select(e.Envfile, c.Args().Slice(), func(b *config.Box) bool { return exists[b.Name] })
			if err != nil {
				return err
			}
			if len(boxes) == 0 {
				return errNoBox
			}
			return e.Provision(c.Context, boxes, engine.ProvisionOptions{All: c.Bool("all"), Only: c.StringSlice("with")})
		},
	}
}
