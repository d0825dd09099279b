package app

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/engine"
	"github.com/berth-dev/berth/provider"
)

func imageCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:  "image",
		Usage: "list images, and import files that berth package has written",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "list the images on this host", Flags: []cli.Flag{jsonFlag()},
				Action: d.listImages,
			},
			{
				Name: "import", Usage: "make an image from a file", ArgsUsage: "FILE [NAME]",
				Description: "A box starts from it with image = \"local:NAME\"; without NAME it is named after the file. The file is verified\n" +
					"as a whole before anything in it is used. One that exceeds the limits is refused.",
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "replace", Usage: "replace an image of that name; boxes that were made from it keep theirs"},
					&cli.StringFlag{Name: "max-size", Usage: "take up to `SIZE` in all files together", DefaultText: "64GiB"},
					&cli.Int64Flag{Name: "max-entries", Usage: "take up to `N` files and folders", DefaultText: "2000000"},
					&cli.Int64Flag{Name: "max-ratio", Usage: "take what is up to `N` times larger than its packed form", DefaultText: "200"},
				},
				Action: d.importImage,
			},
		},
	}
}

func (d *deps) importImage(c *cli.Context) error {
	if n := c.NArg(); n < 1 || n > 2 {
		return &usageError{text: "image import takes a file, and a name for the image, which may be left out"}
	}
	i := provider.Import{File: c.Args().First(), Replace: c.Bool("replace")}
	i.Limits.Entries, i.Limits.Ratio = c.Int64("max-entries"), c.Int64("max-ratio")
	name := c.Args().Get(1)
	if name == "" {
		name, _, _ = strings.Cut(filepath.Base(i.File), ".")
	}
	i.Name = "local:" + strings.TrimPrefix(name, "local:")
	if c.IsSet("max-size") {
		size, err := sizeFlag(c, "max-size")
		if err != nil {
			return err
		}
		i.Limits.Size = size
	}
	e, err := d.bareEngine()
	if err != nil {
		return err
	}
	img, err := e.ImportImage(c.Context, config.DefaultProvider, i)
	if err != nil {
		return err
	}
	d.ui.EndLive()
	fmt.Fprintf(d.ui.Out, "imported %s, %s\n", img.Name, img.Digest)
	return nil
}

func (d *deps) listImages(c *cli.Context) error {
	e, err := d.bareEngine()
	if err != nil {
		return err
	}
	all, err := e.Space(c.Context)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(u engine.Use) bool { return u.Kind != provider.UseImage })
	slices.SortStableFunc(all, func(a, b engine.Use) int { return strings.Compare(a.Name, b.Name) })
	if c.Bool("json") {
		return writeJSON(d.ui.Out, map[string]any{"images": usesJSON(all)})
	}
	if len(all) == 0 {
		d.ui.Println("no image is on this host")
		return nil
	}
	tw := newTable(d.ui.Out, "IMAGE", "DIGEST", "SIZE", "LAST USED")
	for _, u := range all {
		tw.row(u.Name, shortDigest(u.Digest), sizeText(u.Size+u.Shared), usedText(u.Used))
	}
	return tw.flush()
}
