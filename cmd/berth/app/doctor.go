package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/doctor"
	"github.com/berth-dev/berth/internal/engine"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/provider"
)

func doctorCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "find what keeps boxes from working, and what heals it",
		ArgsUsage: "[BOX]",
		Description: "It looks at the host, hop by hop, and with a name at the way to that box; after a broken hop the\n" +
			"rest of that chain is not tried. It changes nothing. Exit status 1 when something is broken.\n" +
			"docs/doctor.md explains each code.",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return &usageError{text: "doctor takes one box"}
			}
			e, err := d.anyEngine()
			if err != nil {
				return err
			}
			sections, err := examine(c.Context, e, c.Args().First())
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = writeJSON(d.ui.Out, examinationOf(sections))
			} else {
				err = d.writeExamination(d.ui.Out, sections)
			}
			if err == nil && isBroken(sections) {
				return statusError(exitFailed)
			}
			return err
		},
	}
}

// anyEngine returns an engine also where there is no Envfile: then it knows of no
// box, and of the host all the same.
func (d *deps) anyEngine() (*engine.Engine, error) {
	e, err := d.engine(true)
	if !errors.Is(err, config.ErrNoEnvfile) {
		return e, err
	}
	return d.bareEngine()
}

// bareEngine returns an engine that knows of no Envfile.
func (d *deps) bareEngine() (*engine.Engine, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	home, err := d.home()
	if err != nil {
		return nil, err
	}
	return &engine.Engine{
		Envfile: &config.Envfile{Path: filepath.Join(cwd, config.FileName), Root: cwd}, Home: home,
		Plugins: pluginsOf(d, home, cwd), UI: d.ui, Command: d.command, Processes: d.processes,
	}, nil
}

func examine(ctx context.Context, e *engine.Engine, box string) ([]doctor.Section, error) {
	boxes := e.Envfile.Boxes
	var found engine.Found
	if box != "" {
		var err error
		if found, err = e.Find(ctx, box); err != nil {
			return nil, err
		}
		if b := e.Envfile.Box(box); b != nil {
			boxes = []*config.Box{b}
		}
	}
	var sections []doctor.Section
	for _, p := range e.Providers(ctx, boxes) {
		sections = append(sections, doctor.Host(ctx, p.Name, p.Provider, p.Err))
	}
	if box != "" {
		sections = append(sections, doctor.Box{
			Name: box, Record: found.Record, Keys: found.Keys, KeysErr: found.KeysErr,
			Provider: found.Provider, Err: found.Err, Net: doctor.Network{},
		}.Examine(ctx))
	}
	return sections, ctx.Err()
}

func isBroken(sections []doctor.Section) bool {
	for _, s := range sections {
		if s.Broken() {
			return true
		}
	}
	return false
}

// writeExamination writes what was found for people: a line a hop, and under one
// that is not good what is wrong and what heals it.
func (d *deps) writeExamination(w io.Writer, sections []doctor.Section) error {
	colours := map[provider.Verdict]string{provider.Good: ui.Green, provider.Weak: ui.Yellow, provider.Broken: ui.Red, provider.Untried: ui.Faint}
	count := map[provider.Verdict]int{}
	var out strings.Builder
	for _, s := range sections {
		fmt.Fprintf(&out, "%s\n", s.Of)
		for _, h := range s.Hops {
			count[h.Verdict]++
			mark := d.ui.Paint(colours[h.Verdict], fmt.Sprintf("%-7s", h.Verdict))
			fmt.Fprintf(&out, "  %s %s  %s: %s\n", mark, h.Code, hopName(h), oneLine(h.Read))
			if h.Problem != "" && h.Problem != h.Read {
				fmt.Fprintf(&out, "          %s\n", indent(h.Problem))
			}
			if h.Fix != "" {
				fmt.Fprintf(&out, "          fix: %s\n", indent(h.Fix))
			}
		}
	}
	fmt.Fprintf(&out, "%d broken, %d weak, %d ok, %d not tried", count[provider.Broken], count[provider.Weak],
		count[provider.Good], count[provider.Untried])
	if count[provider.Broken]+count[provider.Weak] > 0 {
		out.WriteString("; docs/doctor.md explains the codes")
	}
	_, err := fmt.Fprintln(w, out.String())
	return err
}

func hopName(h provider.Hop) string {
	if h.Chain == h.Name {
		return h.Name
	}
	return h.Chain + ", " + h.Name
}

func oneLine(s string) string { return strings.Join(strings.Fields(ui.Printable(s, false)), " ") }

// indent puts text of several lines under a hop, or a change.
func indent(s string) string {
	return strings.ReplaceAll(ui.Printable(s, false), "\n", "\n          ")
}

// hopJSON is a hop in `berth doctor --json`. Fields are added, never changed.
type hopJSON struct {
	Of      string `json:"of"`
	Chain   string `json:"chain"`
	Name    string `json:"name"`
	Code    string `json:"code"`
	Verdict string `json:"verdict"` // "ok", "weak", "broken" or "untried"
	Read    string `json:"read,omitempty"`
	Problem string `json:"problem,omitempty"`
	Fix     string `json:"fix,omitempty"`
}

func examinationOf(sections []doctor.Section) map[string]any {
	hops := []hopJSON{}
	for _, s := range sections {
		for _, h := range s.Hops {
			hops = append(hops, hopJSON{s.Of, h.Chain, h.Name, h.Code, string(h.Verdict), h.Read, h.Problem, h.Fix})
		}
	}
	return map[string]any{"ok": !isBroken(sections), "hops": hops}
}
