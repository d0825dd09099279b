package app

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func lockCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:  "lock",
		Usage: "write Envfile.lock: what the Envfile's images, plugins and steps are, to the byte",
		Description: "Images that are not on this host are built. What is new in the Envfile is added and what is gone\n" +
			"is removed; what is locked and has changed is an error, and taken over with --update. Commit the file;\n" +
			"berth up --frozen keeps to it.",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "update", Usage: "take over what has changed"}, jsonFlag()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return &usageError{text: "lock is for the whole Envfile and takes no names"}
			}
			e, err := d.engine(false)
			if err != nil {
				return err
			}
			done, err := e.Lock(c.Context, c.Bool("update"))
			if err != nil {
				return err
			}
			d.ui.EndLive()
			if c.Bool("json") {
				differ := []differenceJSON{}
				for _, x := range done.Differences {
					differ = append(differ, differenceJSON{x.What, x.Text})
				}
				return writeJSON(d.ui.Out, map[string]any{"file": done.Path, "written": done.Written, "changes": differ})
			}
			for _, x := range done.Differences {
				d.ui.Println(x.String())
			}
			text := " is up to date"
			if done.Written {
				text = " is written: commit it"
			}
			_, err = fmt.Fprintln(d.ui.Out, done.Path+text)
			return err
		},
	}
}

// differenceJSON is a change in `berth lock --json`. Fields are added, never
// changed.
type differenceJSON struct {
	What string `json:"what"`
	How  string `json:"how"`
}
