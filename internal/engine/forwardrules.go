package engine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/forward"
)

// forwardRules are a box's forwards as the forwarder takes them.
func (e *Engine) forwardRules(b *config.Box) []forward.Rule {
	var rules []forward.Rule
	for _, f := range b.Forwards {
		guestIP := f.GuestIP
		if f.Reverse && guestIP == "" {
			guestIP = "127.0.0.1"
		}
		rules = append(rules, forward.Rule{
			Name: f.Name, Protocol: f.Protocol, Reverse: f.Reverse, AutoCorrect: f.AutoCorrect,
			Guest: forwardEnd(guestIP, f.Guest), Own: reached(b, f), Want: forwardEnd(f.HostIP, e.hostEnd(f.Host)),
			Range: forward.Range{First: int(f.PortRange.First), Last: int(f.PortRange.Last)},
		})
	}
	return rules
}

// reached reports whether the address of a forward's end in the box is that of a
// private network, and the host is in that: in those of a user's boxes it is not.
func reached(b *config.Box, f config.Forward) bool {
	return !f.Reverse && os.Geteuid() == 0 && b.HasAddress(f.GuestIP)
}

// hostEnd follows the links on the way to the project's folder, which are the
// user's own, who went there. The forwarder follows only root's: a box could have
// made others.
func (e *Engine) hostEnd(end config.Endpoint) config.Endpoint {
	if rel, err := filepath.Rel(e.Envfile.Root, end.Path); end.Path != "" && err == nil && filepath.IsLocal(rel) {
		end.Path = filepath.Join(realPath(e.Envfile.Root), rel)
	}
	return end
}

func forwardEnd(ip string, e config.Endpoint) string {
	if e.Path != "" {
		return e.Path
	}
	return net.JoinHostPort(ip, strconv.FormatInt(e.Port, 10))
}

// declaredPorts are the ports of the host that the Envfile names, which are not
// to be chosen for a forward that names none.
func declaredPorts(e *config.Envfile) map[int]bool {
	ports := map[int]bool{}
	for _, b := range e.Boxes {
		for _, f := range b.Forwards {
			ports[int(f.Host.Port)] = true
		}
	}
	return ports
}

// ForwardError is a forward that cannot be had.
type ForwardError struct {
	Name  string
	Range string // where its block is; empty: not in the Envfile any more
	Err   error
	Hint  string // what to do; may be empty
}

func (e *ForwardError) Error() string {
	text := fmt.Sprintf("forward %q", e.Name)
	if e.Range != "" {
		text += " (" + e.Range + ")"
	}
	text += ": " + e.Err.Error()
	if e.Hint != "" {
		text += "\n" + e.Hint
	}
	return text
}

func (e *ForwardError) Unwrap() error { return e.Err }

// forwardError says what can be done about a forward that cannot be had.
func (e *Engine) forwardError(t *target, r forward.Rule, err error) error {
	failed := &ForwardError{Name: r.Name, Err: err}
	if t.box != nil { // the Envfile may have lost a box that is resumed
		for _, f := range t.box.Forwards {
			if f.Name == r.Name {
				failed.Range = f.DeclRange.String()
			}
		}
	}
	var taken *forward.TakenError
	var privileged *forward.PrivilegedError
	switch {
	case errors.As(err, &taken):
		if box := e.boxWith(taken); box != "" {
			failed.Err = &namedTakenError{taken, box}
		}
		failed.Hint = `Free it, write another "host", leave "host" out to have a port chosen, or write auto_correct = true.`
		if r.IsSocket() {
			failed.Hint = `Free it, or write another "host".`
		}
	case errors.As(err, &privileged):
		failed.Hint = `Run berth as root, lower that setting (sysctl), or write a "host" from 1024 on.`
	case errors.Is(err, forward.ErrNoPort):
		failed.Hint = `Write a larger "port_range".`
	}
	return failed
}

// namedTakenError is a port that another box has.
type namedTakenError struct {
	taken *forward.TakenError
	box   string
}

func (e *namedTakenError) Error() string { return e.taken.End + " is taken by " + e.box }
func (e *namedTakenError) Unwrap() error { return e.taken }

// boxWith names the box that has a port, "" when it is none of ours: its
// forwarder holds it, or the command that is bringing it up.
func (e *Engine) boxWith(taken *forward.TakenError) string {
	records, err := e.Home.Records("")
	if err != nil {
		return "" // it only explains
	}
	for _, r := range records {
		dir := forward.Dir(e.Home.BoxDir(r.ID))
		name := fmt.Sprintf("box %q of project %q", r.Name, r.Project)
		pid := dir.PID()
		holder := e.Home.LockHolder(r.ID).PID
		switch {
		case pid != 0 && (pid == taken.Holder.PID || holds(dir, taken.End)):
			return name
		case holder != 0 && holder == taken.Holder.PID && holder != os.Getpid() && strings.HasPrefix(taken.Holder.Name, "berth"):
			return name + ", which is coming up"
		}
	}
	return ""
}

// holds reports whether a box's forwarder listens at an end.
func holds(dir forward.Dir, end string) bool {
	ports, _, _ := dir.Ports()
	for _, p := range ports {
		if !p.Reverse && p.Host == end {
			return true
		}
	}
	return false
}
