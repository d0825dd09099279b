package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/internal/engine"
	"github.com/berth-dev/berth/internal/guest"
)

func cpCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "cp",
		Usage:     "copy files and folders into a box or out of it",
		ArgsUsage: "SOURCE TARGET",
		Description: "One of the two is in a box: BOX:PATH, or :PATH for the only or the primary box. A path in a box\n" +
			"begins in the login user's home. Into a TARGET that is a folder or ends in \"/\" the SOURCE is copied\n" +
			"under its own name, else it becomes TARGET. A SOURCE that ends in \"/.\" is the content of a folder.\n" +
			"A file for a link, a device or a named pipe of the host, such as /dev/stdout, is written into it.\n" +
			"For a file of the host with a \":\" in its name write ./NAME.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "root", Usage: "in the box, as root instead of the login user"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 2 {
				return &usageError{text: "cp takes a source and a target, such as: berth cp notes.txt web:/srv/"}
			}
			return d.copy(c.Context, splitPlace(c.Args().Get(0)), splitPlace(c.Args().Get(1)), c.Bool("root"))
		},
	}
}

// copyPlace is one end of a copy.
type copyPlace struct {
	inBox     bool
	box, path string // box is "" for the only or the primary one
}

// splitPlace takes BOX:PATH apart. A box's name has no "/".
func splitPlace(arg string) copyPlace {
	box, path, ok := strings.Cut(arg, ":")
	if !ok || strings.Contains(box, "/") {
		return copyPlace{path: arg}
	}
	return copyPlace{inBox: true, box: box, path: path}
}

func (d *deps) copy(ctx context.Context, from, to copyPlace, root bool) error {
	switch {
	case from.inBox && to.inBox:
		return errors.New("cp copies between the host and a box: copy to the host first, then into the other box")
	case !from.inBox && !to.inBox:
		return &usageError{text: fmt.Sprintf("neither %q nor %q is in a box: write BOX:PATH, or :PATH for the only box", from.path, to.path)}
	}
	e, err := d.engine(false)
	if err != nil {
		return err
	}
	box, err := engine.One(e.Envfile, from.box+to.box)
	if err != nil {
		return err
	}
	access, err := e.Access(box)
	if err != nil {
		return err
	}
	client, err := e.Dial(ctx, access)
	if err != nil {
		return err
	}
	defer client.Close()
	o := guest.CopyOptions{Root: root}
	if d.ui.Redraw {
		o.Copied = d.copyMeter()
		defer d.ui.EndLive()
	}
	if from.inBox {
		return client.CopyFrom(ctx, from.path, to.path, o)
	}
	return client.CopyTo(ctx, from.path, to.path, o)
}

// copyMeter shows how far a copy is, a few times a second.
func (d *deps) copyMeter() func(done, total int64) {
	const often = 100 * time.Millisecond
	var mu sync.Mutex
	begin := time.Now()
	last := begin
	return func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if now.Sub(last) < often {
			return
		}
		last = now
		rate := float64(done) / now.Sub(begin).Seconds()
		text := fmt.Sprintf("copied %s, %s/s", sizeText(done), sizeText(int64(rate)))
		if total > 0 {
			text = fmt.Sprintf("copied %s of %s (%d%%), %s/s", sizeText(done), sizeText(total), done*100/total, sizeText(int64(rate)))
		}
		d.ui.Live("", text)
	}
}
