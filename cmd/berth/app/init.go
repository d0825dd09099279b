package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/config"
)

// starter is the Envfile that init writes.
const starter = `# What berth up brings up. All that can be said here: docs/envfile.md
box "dev" {
  image = "debian:bookworm"

  resources {
    cpus   = 2
    memory = "2GiB"
  }

  provisioner "shell" "setup" {
    inline = [
      "apt-get update",
      "apt-get install -y git",
    ]
  }
}
`

// minimal is the Envfile that init --minimal writes.
const minimal = `box "dev" {
  image = "debian:bookworm"
}
`

func initCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:  "init",
		Usage: "write an Envfile to begin with",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "minimal", Aliases: []string{"m"}, Usage: "write the least that works"},
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "replace the Envfile that is there"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return &usageError{text: "init takes no names: it writes the Envfile of this folder"}
			}
			flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
			if c.Bool("force") {
				flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
			}
			f, err := os.OpenFile(config.FileName, flags, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return errors.New("there is an Envfile here already: edit it, or replace it with berth init -f")
			}
			if err != nil {
				return err
			}
			defer f.Close()
			text := starter
			if c.Bool("minimal") {
				text = minimal
			}
			if _, err := f.WriteString(text); err != nil {
				return fmt.Errorf("write Envfile: %w", err)
			}
			d.ui.Println("Wrote Envfile. Next: berth up, then berth ssh.")
			return f.Close()
		},
	}
}
