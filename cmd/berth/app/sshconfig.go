package app

import (
	"fmt"
	"io"
	"net"
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
				h.write(d.ui.Out)
			}
			return nil
		},
	}
}

// sshHost is a host of ssh_config(5).
type sshHost struct {
	names   []string // the first is the box's own
	options []sshOption
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
			hosts = append(hosts, sshHost{engine.Names(b.Name, e.Envfile.Project.Name), sshOptions(a)})
		}
	}
	if len(hosts) == 0 {
		return nil, engine.ErrNotCreated
	}
	return hosts, nil
}

type sshOption struct{ key, value string }

// quoted returns the value as ssh_config(5) takes it, paths with spaces included.
func (o sshOption) quoted() string {
	if strings.ContainsAny(o.value, " \t\"") {
		return `"` + strings.ReplaceAll(o.value, `"`, `\"`) + `"`
	}
	return o.value
}

// sshOptions are all that ssh needs, and keep what the user has set for other
// hosts out of it. The host key is known by the box's id, so an address that was
// another box's before does no harm, and nothing gets into ~/.ssh/known_hosts.
func sshOptions(a engine.Access) []sshOption {
	host, port, _ := net.SplitHostPort(a.Record.SSH.Addr) // written by us
	return []sshOption{
		{"HostName", host},
		{"Port", port},
		{"User", a.Record.SSH.User},
		{"IdentityFile", a.Keys.PrivateFile},
		{"IdentitiesOnly", "yes"},
		{"UserKnownHostsFile", a.Keys.KnownHostsFile},
		{"HostKeyAlias", a.Record.ID},
		{"StrictHostKeyChecking", "yes"},
		{"PasswordAuthentication", "no"},
		{"ProxyCommand", "none"},
		{"LogLevel", "ERROR"},
	}
}

func (h sshHost) write(w io.Writer) {
	fmt.Fprintf(w, "Host %s\n", strings.Join(h.names, " "))
	for _, o := range h.options {
		fmt.Fprintf(w, "  %s %s\n", o.key, o.quoted())
	}
}

func writeSSHJSON(w io.Writer, hosts []sshHost) error {
	all := make([]map[string]string, 0, len(hosts))
	for _, h := range hosts {
		m := map[string]string{"Host": h.names[0]}
		if len(h.names) > 1 {
			m["Alias"] = h.names[1]
		}
		for _, o := range h.options {
			m[o.key] = o.value
		}
		all = append(all, m)
	}
	return writeJSON(w, map[string]any{"hosts": all})
}
