package app

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/engine"
	"github.com/berth-dev/berth/provider"
)

func reloadCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:        "reload",
		Usage:       "restart boxes, so that everything in the Envfile takes effect",
		ArgsUsage:   "[NAME...]",
		Description: "Without names: all boxes that exist. The Envfile is checked before anything is halted.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "stop at once, not gracefully"},
			&cli.BoolFlag{Name: "no-provision", Usage: "run no provisioning steps"},
			parallelFlag(),
		},
		Action: func(c *cli.Context) error {
			e, existing, err := d.existing(c, false)
			if err != nil || len(existing) == 0 {
				return err
			}
			return e.Reload(c.Context, existing, c.Bool("force"), engine.UpOptions{NoProvision: c.Bool("no-provision"), Keep: true})
		},
	}
}

func suspendCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "suspend",
		Usage:     "freeze boxes: they stay in memory and use no CPU",
		ArgsUsage: "[NAME...]",
		Flags:     []cli.Flag{parallelFlag()},
		Action: func(c *cli.Context) error {
			e, boxes, err := d.existing(c, true)
			if err != nil {
				return err
			}
			return e.Suspend(c.Context, boxes)
		},
	}
}

func resumeCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "resume",
		Usage:     "let suspended boxes go on",
		ArgsUsage: "[NAME...]",
		Flags:     []cli.Flag{parallelFlag()},
		Action: func(c *cli.Context) error {
			e, boxes, err := d.existing(c, true)
			if err != nil {
				return err
			}
			return e.Resume(c.Context, boxes)
		},
	}
}

// limitFlag is the flag for a limit of the resources block.
func limitFlag(name string) string { return strings.ReplaceAll(name, "_", "-") }

func resizeCommand(d *deps) *cli.Command {
	var flags []cli.Flag
	for _, name := range config.LimitNames {
		flags = append(flags, &cli.StringFlag{Name: limitFlag(name), Usage: "set resources." + name + " to `VALUE`, or none"})
	}
	return &cli.Command{
		Name:        "resize",
		Usage:       "change the limits of a running box until its next start",
		ArgsUsage:   "[NAME]",
		Description: "Limits that are not given stay as they are. What the Envfile says holds again from the next start on.",
		Flags:       flags,
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return &usageError{text: "resize takes one box"}
			}
			if c.NumFlags() == 0 {
				return &usageError{text: "resize needs a limit to change, such as --memory 1GiB"}
			}
			e, err := d.engine(false)
			if err != nil {
				return err
			}
			x, err := oneExisting(e, c.Args().First())
			if err != nil {
				return err
			}
			return e.Resize(c.Context, x, func(r *provider.Resources) error { return changeLimits(c, r) })
		},
	}
}

// oneExisting returns the box that a command for a single one means.
func oneExisting(e *engine.Engine, name string) (*engine.Existing, error) {
	if name == "" {
		box, err := engine.One(e.Envfile, "")
		if err != nil {
			return nil, err
		}
		name = box.Name
	}
	found, err := e.Existing([]string{name})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("box %q: %w", name, engine.ErrNotCreated)
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// changeLimits puts what the flags say into r.
func changeLimits(c *cli.Context, r *provider.Resources) error {
	l := config.Resources{CPUs: r.CPUs, CPUWeight: r.CPUWeight, CPUSet: r.CPUSet, Memory: r.Memory, Swap: r.Swap, PIDs: r.PIDs}
	for _, name := range config.LimitNames {
		if !c.IsSet(limitFlag(name)) {
			continue
		}
		if err := l.Set(name, c.String(limitFlag(name))); err != nil {
			return &usageError{text: "--" + limitFlag(name) + ": " + err.Error()}
		}
	}
	r.CPUs, r.CPUWeight, r.CPUSet, r.Memory, r.Swap, r.PIDs = l.CPUs, l.CPUWeight, l.CPUSet, l.Memory, l.Swap, l.PIDs
	return nil
}
