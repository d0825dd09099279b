package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/internal/engine"
)

func haltCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "halt",
		Usage:     "stop boxes, gracefully first",
		ArgsUsage: "[NAME...]",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "stop at once"},
			parallelFlag(),
		},
		Action: func(c *cli.Context) error {
			e, boxes, err := d.existing(c, true)
			if err != nil {
				return err
			}
			return e.Halt(c.Context, boxes, c.Bool("force"))
		},
	}
}

// existing returns the boxes that a command names, all without names, and says so
// when there are none. With lenient set problems with the Envfile do not matter.
func (d *deps) existing(c *cli.Context, lenient bool) (*engine.Engine, []*engine.Existing, error) {
	e, err := d.engine(lenient)
	if err != nil {
		return nil, nil, err
	}
	if e.Parallel, err = parallel(c); err != nil {
		return nil, nil, err
	}
	boxes, err := e.Existing(c.Args().Slice())
	if err == nil && len(boxes) == 0 {
		text := "no box exists"
		if c.Args().Present() {
			text = "none of the named boxes exists: " + strings.Join(c.Args().Slice(), ", ")
		}
		d.ui.Println(text)
	}
	return e, boxes, err
}

// exitSomeDeclined is destroy's status when not all boxes were confirmed.
const exitSomeDeclined = 2

func destroyCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "destroy",
		Usage:     "remove boxes with everything in them",
		ArgsUsage: "[NAME...]",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "do not ask"},
			parallelFlag(),
		},
		Action: func(c *cli.Context) error {
			e, boxes, err := d.existing(c, true)
			if err != nil {
				return err
			}
			if err := e.Sweep(c.Args().Slice()); err != nil || len(boxes) == 0 {
				return err
			}
			if !c.Bool("force") && !d.ui.Interactive() {
				return errors.New("destroy asks before it removes a box, and there is no terminal to ask on: add -f to remove without asking")
			}
			chosen := boxes
			if !c.Bool("force") {
				if chosen, err = d.confirmed(c.Context, boxes); err != nil {
					return err
				}
			}
			err = e.Destroy(c.Context, chosen)
			switch {
			case err != nil:
				return err
			case len(chosen) == 0:
				return statusError(exitFailed)
			case len(chosen) < len(boxes):
				return statusError(exitSomeDeclined)
			}
			return nil
		},
	}
}

// confirmed asks which boxes may be removed, before any is.
func (d *deps) confirmed(ctx context.Context, boxes []*engine.Existing) ([]*engine.Existing, error) {
	var chosen []*engine.Existing
	for _, x := range boxes {
		yes, err := d.ui.Ask(fmt.Sprintf("Destroy box %q with everything in it?", x.Name()))
		if err == nil {
			err = ctx.Err() // interrupted while we waited
		}
		if err != nil {
			return nil, err
		}
		if yes {
			chosen = append(chosen, x)
		}
	}
	return chosen, nil
}
