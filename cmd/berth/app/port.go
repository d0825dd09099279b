package app

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/engine"
	"github.com/berth-dev/berth/internal/forward"
	"github.com/berth-dev/berth/internal/ui"
)

func portCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "port",
		Usage:     "show which ports and sockets are forwarded, and whether they work",
		ArgsUsage: "[NAME...] | NAME GUESTPORT",
		Description: "With a port of the box, such as 80 or 53/udp, this writes the host's address for it and\n" +
			"nothing else: curl http://$(berth port web 80)",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			e, err := d.engine(true)
			if err != nil {
				return err
			}
			names, guest, err := guestPort(e.Envfile, c.Args().Slice())
			if err != nil {
				return err
			}
			if guest != "" && c.Bool("json") {
				return &usageError{text: "with a port this writes an address and nothing else: leave out the port, or --json"}
			}
			all, err := e.Ports(c.Context, names)
			if err != nil {
				return err
			}
			if name := missing(e.Envfile, names, all); name != "" {
				return fmt.Errorf("box %q: %w", name, engine.ErrNotCreated)
			}
			switch {
			case guest != "":
				return writeHostAddress(d.ui.Out, all, guest)
			case c.Bool("json"):
				return writeJSON(d.ui.Out, map[string]any{"ports": portsOf(all)})
			}
			return d.writePorts(all)
		},
	}
}

// guestPort takes a port at the end of arguments, or the path of a socket, apart
// from the boxes' names.
func guestPort(file *config.Envfile, args []string) (names []string, guest string, err error) {
	if len(args) != 2 || file.Box(args[1]) != nil {
		return args, "", nil
	}
	if strings.HasPrefix(args[1], "/") {
		return args[:1], args[1], nil
	}
	number, protocol, slash := strings.Cut(args[1], "/")
	if !slash && strings.Trim(number, "0123456789") != "" {
		return args, "", nil
	}
	if n, err := strconv.ParseUint(number, 10, 16); err != nil || n == 0 || slash && protocol != "tcp" && protocol != "udp" {
		return nil, "", &usageError{text: fmt.Sprintf("%q is not a port: write 1 to 65535, with /udp for UDP", args[1])}
	}
	return args[:1], strings.TrimSuffix(args[1], "/tcp"), nil
}

// missing returns a name whose box does not exist, "" for none. Of a pattern, and
// of a block of several boxes, one that exists is enough.
func missing(file *config.Envfile, names []string, all []engine.PortsOf) string {
	for _, name := range names {
		exists := func(b engine.PortsOf) bool { return b.Box == name }
		if len(all) == 0 || file.Box(name) != nil && !slices.ContainsFunc(all, exists) {
			return name
		}
	}
	return ""
}

// writeHostAddress writes where one port of a box is.
func writeHostAddress(w io.Writer, all []engine.PortsOf, guest string) error {
	for _, b := range all {
		for _, p := range b.Ports {
			if p.Reverse || p.GuestPort() != guest {
				continue
			}
			if b.State == forward.Down || b.State == forward.Halted {
				return fmt.Errorf("box %q: port %s is not forwarded now: %s", b.Box, guest, portState(b, p))
			}
			_, err := fmt.Fprintln(w, ui.OneLine(p.Host))
			return err
		}
		return fmt.Errorf("box %q: port %s is not forwarded; berth port shows what is", b.Box, guest)
	}
	return nil
}

// portState says how a forward is.
func portState(b engine.PortsOf, p forward.Port) string {
	switch {
	case b.State == forward.Halted:
		return "the box is halted"
	case b.State == forward.Down:
		return "down"
	case p.Problem != "":
		return "down: " + p.Problem
	case b.State == forward.Waiting:
		return "waiting for the box"
	}
	return string(b.State)
}

func (d *deps) writePorts(all []engine.PortsOf) error {
	tw := newTable(d.ui.Out, "BOX", "FORWARD", "HOST", "", "IN THE BOX", "STATE")
	any := false
	for _, b := range all {
		for _, p := range b.Ports {
			any = true
			arrow := "->"
			if p.Reverse {
				arrow = "<-"
			}
			tw.row(b.Box, p.Name, hostEnd(p), arrow, p.GuestPort(), portState(b, p))
		}
	}
	if !any {
		d.ui.Println("nothing is forwarded")
		return nil
	}
	return tw.flush()
}

func hostEnd(p forward.Port) string {
	if p.Protocol == "udp" {
		return p.Host + "/udp"
	}
	return p.Host
}

// portJSON is a forward in `berth port --json`. Fields are added, never changed.
type portJSON struct {
	Box      string `json:"box"`
	Name     string `json:"name"`
	Protocol string `json:"protocol"`
	Host     string `json:"host"`
	Guest    string `json:"guest"` // port, address:port or path
	Reverse  bool   `json:"reverse"`
	Auto     bool   `json:"auto"`
	State    string `json:"state"` // "up", "waiting", "down" or "halted"
	Problem  string `json:"problem,omitempty"`
}

func portsOf(all []engine.PortsOf) []portJSON {
	ports := []portJSON{}
	for _, b := range all {
		for _, p := range b.Ports {
			state := b.State
			if p.Problem != "" && state == forward.Up {
				state = forward.Down
			}
			ports = append(ports, portJSON{
				Box: b.Box, Name: p.Name, Protocol: p.Protocol, Host: p.Host, Guest: strings.TrimSuffix(p.GuestPort(), "/udp"),
				Reverse: p.Reverse, Auto: p.Auto, State: string(state), Problem: p.Problem,
			})
		}
	}
	return ports
}
