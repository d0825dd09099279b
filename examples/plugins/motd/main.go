// Command berth-provisioner-motd is a plugin that sets the message of the day
// of a box:
//
//	provisioner "motd" {
//	  text = "You are on the shop's box."
//	}
//
// docs/writing-plugins.md walks through it.
package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/berth-dev/berth/plugins"
	"github.com/berth-dev/berth/provisioner"
)

type motd struct {
	Text string `hcl:"text"`
	Path string `hcl:"path,optional"`
}

func (m *motd) Validate() error {
	if strings.TrimSpace(m.Text) == "" {
		return &provisioner.ArgError{Arg: "text", Err: errors.New("must not be empty")}
	}
	return nil
}

func (m *motd) Provision(ctx context.Context, guest provisioner.Guest) error {
	guest.Report("write " + m.Path)
	return guest.Run(ctx, provisioner.Cmd{
		Argv:   []string{"tee", m.Path},
		Stdin:  strings.NewReader(m.Text + "\n"),
		Stdout: io.Discard, // tee says it all again
		Root:   true,
	})
}

func main() {
	plugins.ServeProvisioner(func() provisioner.Provisioner { return &motd{Path: "/etc/motd"} })
}
