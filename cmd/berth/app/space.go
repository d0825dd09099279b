package app

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/engine"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/provider"
)

func dfCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:  "df",
		Usage: "show what uses space: images, checkpoints, disks of boxes, packages",
		Description: "Of all projects of this data home. OWN is what removing a thing frees, so that the column adds up to what\n" +
			"is used; SHARED is what it builds on, which others own. berth gc removes what is not needed, once it is old.",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return &usageError{text: "df takes no names"}
			}
			e, err := d.bareEngine()
			if err != nil {
				return err
			}
			all, err := e.Space(c.Context)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return writeJSON(d.ui.Out, spaceOf(all))
			}
			return writeSpace(d.ui.Out, all)
		},
	}
}

func gcCommand(d *deps) *cli.Command {
	olderThan := age(30 * day)
	return &cli.Command{
		Name:  "gc",
		Usage: "remove images, checkpoints and packages that nothing needs",
		Description: "What a box, a snapshot or the Envfile.lock of a project with boxes needs stays, whatever its age. Boxes and\n" +
			"snapshots are removed only by berth destroy and berth snapshot delete.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Usage: "only say what would be removed"},
			&cli.GenericFlag{Name: "older-than", Value: &olderThan, Usage: "remove what has not been used for `TIME`, such as 12h"},
			&cli.StringFlag{Name: "keep", Usage: "keep at most `SIZE` of what nothing needs, such as 10GiB, and remove what was used longest ago first"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			o, err := collectOptions(c, time.Duration(olderThan))
			if err != nil {
				return err
			}
			e, err := d.bareEngine()
			if err != nil {
				return err
			}
			return d.collect(c, e, o)
		},
	}
}

func collectOptions(c *cli.Context, olderThan time.Duration) (engine.CollectOptions, error) {
	o := engine.CollectOptions{DryRun: c.Bool("dry-run"), OlderThan: olderThan}
	if c.NArg() > 0 {
		return o, &usageError{text: "gc takes no names: berth destroy removes boxes"}
	}
	if c.IsSet("keep") {
		size, err := sizeFlag(c, "keep")
		if err != nil {
			return o, err
		}
		o.Keep = &size
	}
	return o, nil
}

// sizeFlag returns the value of a flag that takes a size.
func sizeFlag(c *cli.Context, name string) (int64, error) {
	size, err := config.ParseSize(c.String(name))
	if err != nil {
		return 0, &usageError{text: fmt.Sprintf("--%s %s: %v", name, c.String(name), err)}
	}
	return size, nil
}

// collect shows each thing as it goes, and what all of them have freed.
func (d *deps) collect(c *cli.Context, e *engine.Engine, o engine.CollectOptions) error {
	verb, freed := "removed", "freed"
	if o.DryRun {
		verb, freed = "would remove", "would free"
	}
	gone := []engine.Use{}
	err := e.Collect(c.Context, o, func(u engine.Use) {
		gone = append(gone, u)
		if !c.Bool("json") {
			d.ui.EndLive()
			fmt.Fprintf(d.ui.Out, "%s %s, %s\n", verb, ui.OneLine(titleOf(u)), sizeText(u.Size))
		}
	})
	total := ownSize(gone)
	if c.Bool("json") {
		if werr := writeJSON(d.ui.Out, map[string]any{"dry_run": o.DryRun, "removed": usesJSON(gone), "freed": total}); err == nil {
			err = werr
		}
		return err
	}
	if err == nil || len(gone) > 0 {
		fmt.Fprintf(d.ui.Out, "%s %s\n", freed, sizeText(total))
	}
	return err
}

func ownSize(all []engine.Use) (size int64) {
	for _, u := range all {
		size += u.Size
	}
	return size
}

// titleOf names a thing for people.
func titleOf(u engine.Use) string {
	text := string(u.Kind)
	if u.Name != "" && u.Kind != provider.UseCache {
		text += " " + u.Name
	}
	if u.Digest != "" {
		text += " (" + shortDigest(u.Digest) + ")"
	}
	if u.Of != "" {
		text += " (" + u.Of + ")"
	}
	return text
}

// shortDigest is enough of a digest to tell it from others.
func shortDigest(d string) string { return d[:min(len(d), len("sha256:")+12)] }

// sizeText writes bytes in the unit that leaves few digits.
func sizeText(n int64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	f, unit := float64(n), "B"
	for _, u := range units {
		if f < 1024 {
			break
		}
		f, unit = f/1024, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}

// kindOrder is in which order df shows things.
var kindOrder = []provider.UseKind{provider.UseImage, provider.UseCheckpoint, provider.UseBox, provider.UseCache, provider.UseLeftover}

func writeSpace(w io.Writer, all []engine.Use) error {
	slices.SortStableFunc(all, func(a, b engine.Use) int {
		if d := slices.Index(kindOrder, a.Kind) - slices.Index(kindOrder, b.Kind); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	tw := newTable(w, "WHAT", "NAME", "OWN", "SHARED", "LAST USED", "NEEDED")
	for _, u := range all {
		needed := "no"
		if u.Needed {
			needed = "yes"
		}
		tw.row(string(u.Kind), nameOf(u), sizeText(u.Size), sizeText(u.Shared), usedText(u.Used), needed)
	}
	tw.row("all", "", sizeText(ownSize(all)), "", "", "")
	return tw.flush()
}

// nameOf is the name of a thing in a list.
func nameOf(u engine.Use) string {
	if u.Of != "" {
		return u.Of
	}
	return u.Name
}

// useJSON is a thing in `berth df --json` and `berth gc --json`. Fields are added,
// never changed.
type useJSON struct {
	Kind     string     `json:"kind"` // "image", "checkpoint", "box", "cache" or "leftover"
	Provider string     `json:"provider"`
	Name     string     `json:"name"`
	Of       string     `json:"of,omitempty"`
	Digest   string     `json:"digest,omitempty"`
	Size     int64      `json:"size"`   // bytes of its own
	Shared   int64      `json:"shared"` // bytes of others that it stands on
	Used     *time.Time `json:"used,omitempty"`
	Needed   bool       `json:"needed"`
}

func usesJSON(all []engine.Use) []useJSON {
	out := make([]useJSON, 0, len(all))
	for _, u := range all {
		j := useJSON{Kind: string(u.Kind), Provider: u.Provider, Name: u.Name, Of: u.Of, Digest: u.Digest, Size: u.Size, Shared: u.Shared, Needed: u.Needed}
		if !u.Used.IsZero() {
			j.Used = &u.Used
		}
		out = append(out, j)
	}
	return out
}

func spaceOf(all []engine.Use) map[string]any {
	totals := map[string]int64{}
	for _, k := range kindOrder {
		totals[string(k)] = 0
	}
	for _, u := range all {
		totals[string(u.Kind)] += u.Size
	}
	return map[string]any{"uses": usesJSON(all), "totals": totals, "total": ownSize(all)}
}
