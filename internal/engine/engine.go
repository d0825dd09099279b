// Package engine turns an Envfile and what exists into actions: it orders boxes,
// asks their provider for them, waits until they can be entered and runs their
// provisioning steps, recording each result before the next. How a box is made
// is a provider's business, how it is set up a provisioner's, how a command line
// is read the command line's.
package engine

import (
	"context"
	"errors"
	"sync"
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
	Unread  bool // the Envfile has problems, so that what it declares is not known
	Home    *state.Home
	Project state.Project // ID is empty as long as the project never had a box
	Plugins Plugins
	UI      *ui.UI
	Host    Host
	Command string // the command line, for whoever meets its lock

	Processes func() []int // of the plugins that run; may be nil
	Build     string       // tells one berth, with its plugins, from another
	// PluginFile returns the binary of an external plugin, "" for one that is
	// built in; may be nil.
	PluginFile func(kind, name string) string

	Parallel int // how many boxes are worked on at once; 0: as many as make sense

	rounds rounds
	said   sync.Map   // paths of folders that users have been warned of
	shells sync.Mutex // held by who has the keyboard
}

// workers are the plugins that run by now.
func (e *Engine) workers() []state.Worker {
	var workers []state.Worker
	if e.Processes != nil {
		for _, pid := range e.Processes() {
			workers = append(workers, state.WorkerOf(pid))
		}
	}
	return workers
}

// Plugins gives out running plugins. It starts one at its first use.
type Plugins interface {
	Provider(ctx context.Context, name string) (ProviderPlugin, error)
	Provisioner(ctx context.Context, name string) (ProvisionerPlugin, error)
}

// Plugin is what every plugin does with its block's arguments.
type Plugin interface {
	// Decode decodes a block, complaining about it where it stands, into the
	// form that the other methods take: nil while a value that it uses is not
	// known.
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
	// Identity tells one build of the plugin from another; "" for one that is
	// part of berth.
	Identity() (string, error)
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
