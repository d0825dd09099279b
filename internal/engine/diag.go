package engine

import (
	"context"
	"errors"

	"github.com/hashicorp/hcl/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provisioner"
)

// UnknownPluginError is the error for a name that no plugin has.
type UnknownPluginError struct{ Err error }

func (e *UnknownPluginError) Error() string { return e.Err.Error() }
func (e *UnknownPluginError) Unwrap() error { return e.Err }

// unknownPlugin turns the error for a plugin that does not exist into a
// complaint about its name; other errors into none.
func unknownPlugin(err error, at, fallback hcl.Range) hcl.Diagnostics {
	var unknown *UnknownPluginError
	if !errors.As(err, &unknown) {
		return nil
	}
	if at.Empty() {
		at = fallback
	}
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Unknown plugin", Detail: err.Error(), Subject: &at}}
}

// fatal returns err unless it is an unknown plugin, which is one complaint among
// others.
func fatal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var unknown *UnknownPluginError
	if errors.As(err, &unknown) {
		return nil
	}
	return err
}

// providerDiagnostic places what a provider says about an argument, of its block
// or with the prefix "box." of the box; nil when err blames none.
func providerDiagnostic(b *config.Box, err error) *hcl.Diagnostic {
	var bad *provider.ArgError
	if !errors.As(err, &bad) {
		return nil
	}
	if path, ok := cutBox(bad.Arg); ok {
		at := b.Range(path)
		return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Unsuitable value for " + path, Detail: bad.Err.Error(), Subject: &at}
	}
	fallback := b.Provider.DeclRange
	if fallback.Empty() {
		fallback = b.DeclRange
	}
	return config.ArgDiagnostic(b.Provider.Body(), b.Provider.EvalContext, bad.Arg,
		"Unsuitable value for "+bad.Arg, bad.Err.Error(), fallback)
}

func cutBox(arg string) (string, bool) {
	const prefix = "box."
	if len(arg) > len(prefix) && arg[:len(prefix)] == prefix {
		return arg[len(prefix):], true
	}
	return "", false
}

// stepDiagnostic does the same for a provisioner.
func stepDiagnostic(p *config.Provisioner, err error) *hcl.Diagnostic {
	var bad *provisioner.ArgError
	if !errors.As(err, &bad) {
		return nil
	}
	return config.ArgDiagnostic(p.Body, p.EvalContext, bad.Arg, "Unsuitable value for "+bad.Arg, bad.Err.Error(), p.DeclRange)
}

// blame returns err with every argument that it blames underlined in the
// Envfile.
func blame(b *config.Box, err error) error {
	var diags hcl.Diagnostics
	for _, one := range flatten(err) {
		if d := providerDiagnostic(b, one); d != nil {
			diags = append(diags, d)
		}
	}
	if len(diags) == 0 {
		return err
	}
	return &RefusedError{Err: err, Diags: diags}
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	return []error{err}
}

// RefusedError is a provider that could not do what the Envfile says: the file
// is well formed, but this host or this image does not allow it.
type RefusedError struct {
	Err   error
	Diags hcl.Diagnostics
}

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }
