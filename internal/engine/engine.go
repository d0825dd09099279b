// Package engine turns an Envfile and what exists into actions: it orders boxes,
// asks their provider for them, waits until they can be entered and runs their
// provisioning steps, recording each result before the next. How a box is made
// is a provider's business, how it is set up a provisioner's, how a command line
// is read the command line's.
package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provisioner"
)

// Engine runs commands on the boxes of one project.
type Engine struct {
	Envfile *config.Envfile
	Home    *state.Home
	Project state.Project // ID is empty as long as the project never had a box
	Plugins Plugins
	UI      *ui.UI
	Host    Host
	Command string // the command line, for whoever meets its lock
}

// Plugins gives out running plugins. It starts one at its first use.
type Plugins interface {
	Provider(ctx context.Context, name string) (ProviderPlugin, error)
	Provisioner(ctx context.Context, name string) (ProvisionerPlugin, error)
}

// Plugin is what every plugin does with its block's arguments.
type Plugin interface {
	// Decode decodes a block, complaining about it where it stands, into the
	// form that the other methods take.
	Decode(body hcl.Body, ctx *hcl.EvalContext) ([]byte, hcl.Diagnostics)
	// Validate checks arguments beyond their types.
	Validate(ctx context.Context, args []byte) error
}

// ProviderPlugin is a provider that runs in a plugin.
type ProviderPlugin interface {
	Plugin
	// Bind returns the provider with these arguments; nil are the defaults.
	Bind(args []byte) provider.Provider
}

// ProvisionerPlugin is a provisioner that runs in a plugin.
type ProvisionerPlugin interface {
	Plugin
	Inputs(ctx context.Context, args []byte) ([]string, error)
	Provision(ctx context.Context, args []byte, guest provisioner.Guest) error
}

// DiagError is problems with the Envfile.
type DiagError struct{ Diags hcl.Diagnostics }

func (e *DiagError) Error() string { return e.Diags.Error() }

// ErrNotCreated means that a command needs a box that does not exist.
var ErrNotCreated = errors.New("the box does not exist: create it with berth up")

// cleanupTimeout bounds what is done after a failure or an interrupt.
const cleanupTimeout = 30 * time.Second

// cleanup returns a context for undoing what ctx, which may have ended, began.
func cleanup(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
}

// Select returns the boxes with these names, in the Envfile's order; without
// names all for which all says yes.
func Select(e *config.Envfile, names []string, all func(*config.Box) bool) ([]*config.Box, error) {
	wanted := map[string]bool{}
	for _, n := range names {
		if e.Box(n) == nil {
			return nil, &UnknownBoxError{Name: n, Known: boxNames(e)}
		}
		wanted[n] = true
	}
	var boxes []*config.Box
	for _, b := range inOrder(e.Boxes) {
		if wanted[b.Name] || len(names) == 0 && all(b) {
			boxes = append(boxes, b)
		}
	}
	return boxes, nil
}

// inOrder returns boxes after those they depend on, else as declared. The
// Envfile has no cycles.
func inOrder(boxes []*config.Box) []*config.Box {
	byName := map[string]*config.Box{}
	for _, b := range boxes {
		byName[b.Name] = b
	}
	var ordered []*config.Box
	done := map[string]bool{}
	var visit func(*config.Box)
	visit = func(b *config.Box) {
		if b == nil || done[b.Name] {
			return
		}
		done[b.Name] = true
		for _, d := range b.DependsOn {
			visit(byName[d])
		}
		ordered = append(ordered, b)
	}
	for _, b := range boxes {
		visit(b)
	}
	return ordered
}

// One returns the box that a command for a single box means: the named one,
// else the only one, else the primary one.
func One(e *config.Envfile, name string) (*config.Box, error) {
	if name != "" {
		boxes, err := Select(e, []string{name}, nil)
		if err != nil {
			return nil, err
		}
		return boxes[0], nil
	}
	if len(e.Boxes) == 1 {
		return e.Boxes[0], nil
	}
	for _, b := range e.Boxes {
		if b.Primary {
			return b, nil
		}
	}
	if len(e.Boxes) == 0 {
		return nil, fmt.Errorf("%s declares no box", e.Path)
	}
	return nil, fmt.Errorf("several boxes and none is primary: name one of %s", quoted(boxNames(e)))
}

// UnknownBoxError is a name that no box has.
type UnknownBoxError struct {
	Name  string
	Known []string
}

func (e *UnknownBoxError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("there is no box %q: the Envfile declares none", e.Name)
	}
	return fmt.Sprintf("there is no box %q: the Envfile declares %s", e.Name, quoted(e.Known))
}
