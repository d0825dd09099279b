package app

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/internal/engine"
)

func snapshotCommand(d *deps) *cli.Command {
	noSafety := &cli.BoolFlag{Name: "no-safety", Usage: "do not save the present disk first"}
	noStart := &cli.BoolFlag{Name: "no-start", Usage: "leave a box that ran halted"}
	return &cli.Command{
		Name:  "snapshot",
		Usage: "save the disks of boxes and go back to them",
		Description: "A box may run or be halted. Without BOX: the only or the primary one. How far its provisioning had\n" +
			"come is restored as well. Destroying a box removes its snapshots.",
		Subcommands: []*cli.Command{
			{
				Name: "save", Usage: "save a box's disk as NAME", ArgsUsage: "[BOX] NAME",
				Action: d.withSnapshot("save", func(c *cli.Context, e *engine.Engine, x *engine.Existing, name string) error {
					return e.SnapshotSave(c.Context, x, name)
				}),
			},
			{
				Name: "restore", Usage: "go back to a snapshot, after saving the present disk as another one", ArgsUsage: "[BOX] NAME",
				Flags: []cli.Flag{noSafety, noStart},
				Action: d.withSnapshot("restore", func(c *cli.Context, e *engine.Engine, x *engine.Existing, name string) error {
					return e.SnapshotRestore(c.Context, x, name, restoreOptions(c))
				}),
			},
			{
				Name: "list", Usage: "list snapshots", ArgsUsage: "[BOX...]", Flags: []cli.Flag{jsonFlag()},
				Action: d.listSnapshots,
			},
			{
				Name: "delete", Usage: "remove a snapshot", ArgsUsage: "[BOX] NAME",
				Action: d.withSnapshot("delete", func(c *cli.Context, e *engine.Engine, x *engine.Existing, name string) error {
					return e.SnapshotDelete(c.Context, x, name)
				}),
			},
			{
				Name: "push", Usage: "save a box's disk under a name that Berth chooses, for pop", ArgsUsage: "[BOX]",
				Action: d.withBox("push", func(c *cli.Context, e *engine.Engine, x *engine.Existing) error {
					return e.SnapshotPush(c.Context, x)
				}),
			},
			{
				Name: "pop", Usage: "go back to what was pushed last, and remove it from the stack", ArgsUsage: "[BOX]",
				Flags: []cli.Flag{noSafety, noStart, &cli.BoolFlag{Name: "no-delete", Usage: "do not remove it"}},
				Action: d.withBox("pop", func(c *cli.Context, e *engine.Engine, x *engine.Existing) error {
					name, err := e.Pushed(x)
					if err != nil {
						return err
					}
					o := restoreOptions(c)
					o.Delete = !c.Bool("no-delete")
					return e.SnapshotRestore(c.Context, x, name, o)
				}),
			},
		},
	}
}

func restoreOptions(c *cli.Context) engine.RestoreOptions {
	return engine.RestoreOptions{NoSafety: c.Bool("no-safety"), NoStart: c.Bool("no-start")}
}

// withSnapshot is the action of a command that takes [BOX] NAME.
func (d *deps) withSnapshot(verb string, do func(*cli.Context, *engine.Engine, *engine.Existing, string) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if n := c.NArg(); n < 1 || n > 2 {
			return &usageError{text: fmt.Sprintf("snapshot %s takes a box, which may be left out, and the name of a snapshot", verb)}
		}
		box, name := "", c.Args().First()
		if c.NArg() == 2 {
			box, name = c.Args().Get(0), c.Args().Get(1)
		}
		return d.onExisting(box, func(e *engine.Engine, x *engine.Existing) error { return do(c, e, x, name) })
	}
}

// withBox is the action of a command that takes [BOX].
func (d *deps) withBox(verb string, do func(*cli.Context, *engine.Engine, *engine.Existing) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.NArg() > 1 {
			return &usageError{text: fmt.Sprintf("snapshot %s takes one box", verb)}
		}
		return d.onExisting(c.Args().First(), func(e *engine.Engine, x *engine.Existing) error { return do(c, e, x) })
	}
}

func (d *deps) onExisting(box string, do func(*engine.Engine, *engine.Existing) error) error {
	e, err := d.engine(false)
	if err != nil {
		return err
	}
	x, err := oneExisting(e, box)
	if err != nil {
		return err
	}
	return do(e, x)
}

// snapshotJSON is a snapshot in `berth snapshot list --json`. Fields are added,
// never changed.
type snapshotJSON struct {
	Box         string    `json:"box"`
	Name        string    `json:"name"`
	Created     time.Time `json:"created"`
	Provisioned bool      `json:"provisioned"`
	Before      string    `json:"before,omitempty"` // the snapshot whose restore this one can undo
}

func (d *deps) listSnapshots(c *cli.Context) error {
	e, err := d.engine(true)
	if err != nil {
		return err
	}
	boxes, err := e.Existing(c.Args().Slice())
	if err != nil {
		return err
	}
	all := []snapshotJSON{}
	for _, x := range boxes {
		snapshots, err := e.Snapshots(x)
		if err != nil {
			return err
		}
		for _, s := range snapshots {
			all = append(all, snapshotJSON{x.Name(), s.Name, s.Created, s.Provisioned, s.Before})
		}
	}
	if c.Bool("json") {
		return writeJSON(d.ui.Out, map[string]any{"snapshots": all})
	}
	if len(all) == 0 {
		d.ui.Println("no snapshot exists")
		return nil
	}
	tw := newTable(d.ui.Out, "BOX", "SNAPSHOT", "MADE", "WHY")
	for _, s := range all {
		tw.row(s.Box, s.Name, s.Created.Local().Format("2006-01-02 15:04:05"), whySnapshot(s))
	}
	return tw.flush()
}

func whySnapshot(s snapshotJSON) string {
	if s.Before != "" {
		return "what there was before " + s.Before + " was restored"
	}
	return "saved"
}
