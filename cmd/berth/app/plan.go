package app

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/engine"
	"github.com/berth-dev/berth/internal/ui"
)

// exitChanges is the status of plan --exit-code when there is something to do.
const exitChanges = 2

func planCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "show what up would do, and what it leaves to other commands",
		ArgsUsage: "[NAME...]",
		Description: "It looks at the same boxes as up does, and without names also at those that the Envfile no longer\n" +
			"declares. It changes nothing. A step that always runs is shown, but does not count for --exit-code.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "exit-code", Usage: "exit with status 2 when there is something to do"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			e, err := d.engine(false)
			if err != nil {
				return err
			}
			boxes, err := engine.Select(e.Envfile, c.Args().Slice(), func(b *config.Box) bool { return b.Autostart })
			if err != nil {
				return err
			}
			plans, err := e.Plan(c.Context, boxes, !c.Args().Present())
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = writeJSON(d.ui.Out, planOf(plans))
			} else {
				err = writePlan(d.ui.Out, plans)
			}
			if err == nil && c.Bool("exit-code") && anyChange(plans) {
				return statusError(exitChanges)
			}
			return err
		},
	}
}

// anyChange reports whether something is not as the Envfile says.
func anyChange(plans []engine.Plan) bool {
	for _, p := range plans {
		for _, c := range p.Changes {
			if !c.Always {
				return true
			}
		}
	}
	return false
}

// writePlan writes a plan for people: what up does, and what others must.
func writePlan(w io.Writer, plans []engine.Plan) error {
	var out strings.Builder
	for _, p := range plans {
		fmt.Fprintf(&out, "%s (%s)\n", p.Box, p.State)
		if len(p.Changes) == 0 {
			out.WriteString("  nothing to do\n")
		}
		for _, c := range p.Changes {
			mark := "+"
			if c.Command != "" {
				mark = "!"
			}
			fmt.Fprintf(&out, "  %s %s: %s", mark, ui.OneLine(c.What), indent(c.Why))
			if c.Command != "" {
				fmt.Fprintf(&out, " (up leaves that; %s)", c.Command)
			}
			out.WriteString("\n")
		}
	}
	if len(plans) == 0 {
		out.WriteString("There is no box to look at.\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// planJSON is a box in `berth plan --json`. Fields are added, never changed.
type planJSON struct {
	Box     string       `json:"box"`
	State   string       `json:"state"`
	Changes []changeJSON `json:"changes"`
}

type changeJSON struct {
	Kind    string `json:"kind"` // "create", "start", "resume", "limits", "reload", "image", "forward", "step", "destroy" or "unknown"
	What    string `json:"what"`
	Why     string `json:"why"`
	ByUp    bool   `json:"by_up"`             // false: Command does it
	Command string `json:"command,omitempty"` // with by_up false
	Always  bool   `json:"always"`            // whatever there is; counts for nothing
}

func planOf(plans []engine.Plan) map[string]any {
	boxes := []planJSON{}
	for _, p := range plans {
		j := planJSON{Box: p.Box, State: string(p.State), Changes: []changeJSON{}}
		for _, c := range p.Changes {
			j.Changes = append(j.Changes, changeJSON{c.Kind, c.What, c.Why, c.Command == "", c.Command, c.Always})
		}
		boxes = append(boxes, j)
	}
	return map[string]any{"changes": anyChange(plans), "boxes": boxes}
}
