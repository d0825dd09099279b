package app

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/internal/engine"
)

func validateCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:        "validate",
		Usage:       "check the Envfile, with the plugins it uses, and touch nothing",
		Description: "Exit status 0 when it is good, 3 when it has problems.",
		Flags:       []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			e, err := d.engine(false)
			if err == nil {
				err = e.Validate(c.Context)
			}
			var problems *engine.DiagError
			if err != nil && !errors.As(err, &problems) {
				return err
			}
			if c.Bool("json") {
				return writeProblems(d, problems)
			}
			if problems != nil {
				return problems
			}
			n := len(e.Envfile.Boxes)
			plural := "es"
			if n == 1 {
				plural = ""
			}
			fmt.Fprintf(d.ui.Out, "%s is valid: %d box%s\n", e.Envfile.Path, n, plural)
			return nil
		},
	}
}

// problemJSON is a problem in `berth validate --json`.
type problemJSON struct {
	Severity string     `json:"severity"`
	Summary  string     `json:"summary"`
	Detail   string     `json:"detail,omitempty"`
	Range    *rangeJSON `json:"range,omitempty"`
}

type rangeJSON struct {
	File  string  `json:"file"`
	Start posJSON `json:"start"`
	End   posJSON `json:"end"`
}

type posJSON struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

func writeProblems(d *deps, problems *engine.DiagError) error {
	all := []problemJSON{}
	if problems != nil {
		for _, p := range problems.Diags {
			all = append(all, problemOf(p))
		}
	}
	if err := writeJSON(d.ui.Out, map[string]any{"valid": problems == nil, "problems": all}); err != nil {
		return err
	}
	if problems != nil {
		return statusError(exitEnvfile)
	}
	return nil
}

func problemOf(p *hcl.Diagnostic) problemJSON {
	j := problemJSON{Severity: "error", Summary: p.Summary, Detail: p.Detail}
	if p.Severity == hcl.DiagWarning {
		j.Severity = "warning"
	}
	if s := p.Subject; s != nil {
		j.Range = &rangeJSON{s.Filename, posJSON{s.Start.Line, s.Start.Column}, posJSON{s.End.Line, s.End.Column}}
	}
	return j
}
