package app

import (
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/engine"
)

func sshConfigCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:        "ssh-config",
		Usage:       "write what ssh(1), scp(1) and editors need to reach the boxes",
		ArgsUsage:   "[NAME...]",
		Description: "Put it into a file that ~/.ssh/config includes, or give it to ssh -F.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "host", Usage: "use `ALIAS` instead of the box's name; for one box"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			e, err := d.engine(false)
			if err != nil {
				return err
			}
			boxes, err := engine.Select(e.Envfile, c.Args().Slice(), func(*config.Box) bool { return true })
			if err != nil {
				return err
			}
			hosts, err := sshHosts(e, boxes, c.Args().Present())
			if err != nil {
				return err
			}
			if alias := c.String("host"); alias != "" {
				if len(hosts) != 1 {
					return &usageError{text: "--host is for one box: name it"}
				}
				hosts[0].names = []string{alias}
			}
			if c.Bool("json") {
				return writeSSHJSON(d.ui.Out, hosts)
			}
			for _, h := range hosts {
				if err := engine.WriteSSHHost(d.ui.Out, strings.Join(h.names, " "), h.options); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// sshHost is a host of ssh_config(5).
type sshHost struct {
	names   []string // the first is the box's own
	options []engine.SSHOption
}

// sshHosts returns those of boxes that have been started. A box that was named
// must have been.
func sshHosts(e *engine.Engine, boxes []*config.Box, named bool) ([]sshHost, error) {
	var hosts []sshHost
	for _, b := range boxes {
		a, err := e.Access(b)
		if err != nil && named {
			return nil, err
		}
		if err == nil {
			hosts = append(hosts, sshHost{engine.Names(b.Name, e.Envfile.Project.Name), a.SSHOptions()})
		}
	}
	if len(hosts) == 0 {
		return nil, errNoBox
	}
	return hosts, nil
}

func writeSSHJSON(w io.Writer, hosts []sshHost) error {
	all := make([]map[string]string, 0, len(hosts))
	for _, h := range hosts {
		m := map[string]string{"Host": h.names[0]}
		if len(h.names) > 1 {
			m["Alias"] = h.names[1]
		}
		for _, o := range h.options {
			m[o.Key] = o.Value
		}
		all = append(all, m)
	}
	return writeJSON(w, map[string]any{"hosts": all})
}
