package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/hcl/v2/hcldec"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/berth-dev/berth/plugins/internal/wire"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provisioner"
)

// running is a plugin that has been started.
type running struct {
	m       *Manager
	key     key
	process *process
	client  *plugin.Client
	spec    hcldec.Spec
	builtin bool
	digest  func() (string, error) // of the program

	provider    *wire.ProviderClient // one of the two is set
	provisioner *wire.ProvisionerClient
}

// Provider is a provider plugin.
type Provider struct{ r *running }

// Spec returns how to decode the provider block.
func (p *Provider) Spec() hcldec.Spec { return p.r.spec }

// Validate checks the block's arguments, as [EncodeConfig] returns them. What
// is wrong with one of them is a [*provider.ArgError].
func (p *Provider) Validate(ctx context.Context, config []byte) error {
	return p.r.provider.Validate(ctx, config)
}

// Bind returns the contract with the block's arguments. A plugin that dies in
// mid-call gives a [*PluginError].
//
// When the context of Create, Start, Stop or Destroy ends, the call returns as
// soon as the plugin has undone or left off its work, so that no work on the
// box goes on behind the caller's back; after [wire.CancelGrace] it returns
// anyhow.
func (p *Provider) Bind(config []byte) provider.Provider { return p.r.provider.Bind(config) }

// Provisioner is a provisioner plugin.
type Provisioner struct{ r *running }

// Spec returns how to decode the provisioner block, without its meta-arguments.
func (p *Provisioner) Spec() hcldec.Spec { return p.r.spec }

// Validate checks the block's arguments, as [EncodeConfig] returns them. What
// is wrong with one of them is a [*provisioner.ArgError].
func (p *Provisioner) Validate(ctx context.Context, config []byte) error {
	return p.r.provisioner.Validate(ctx, config)
}

// Inputs returns the files and folders of the host that the step reads.
func (p *Provisioner) Inputs(ctx context.Context, config []byte) ([]string, error) {
	return p.r.provisioner.Inputs(ctx, config)
}

// Provision sets up g. When it returns, no call to g is going on.
func (p *Provisioner) Provision(ctx context.Context, config []byte, g provisioner.Guest) error {
	return p.r.provisioner.Provision(ctx, config, g)
}

// Identity returns the sha256 of the plugin's program, "" for one that is part of
// berth.
func (p *Provisioner) Identity() (string, error) {
	if p.r.builtin {
		return "", nil
	}
	return p.r.digest()
}

// fileDigest returns the sha256 of a file.
func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// lost makes the error for a call that got no answer.
func (r *running) lost(op string, err error) error {
	switch status.Code(err) {
	case codes.Unavailable, codes.Canceled, codes.Unknown:
		// What the connection of a dead process leaves behind. Its end may be
		// noticed a moment later than that of the connection.
		select {
		case <-r.process.done:
		case <-time.After(time.Second):
		}
	default:
		return fmt.Errorf("%s plugin %q: %s: %s", r.key.kind, r.key.name, op, status.Convert(err).Message())
	}
	if r.m.isClosed() {
		return fmt.Errorf("%s plugin %q: %s: %w", r.key.kind, r.key.name, op, ErrClosed)
	}
	e := &PluginError{
		Kind: r.key.kind, Name: r.key.name, Op: op,
		Status: "connection lost", Log: r.process.output.tail(),
	}
	if r.process.exited() {
		e.Status = r.process.status()
	}
	return e
}
