package engine

import (
	"context"
	"errors"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// ProviderOf is a provider that boxes of the project use.
type ProviderOf struct {
	Name     string
	Provider provider.Provider
	Err      error // why it cannot be had
}

// Providers returns the providers that boxes use, each with the arguments of its
// first box; without any box the default one. It reports no problems with those
// arguments, which validate does.
func (e *Engine) Providers(ctx context.Context, boxes []*config.Box) []ProviderOf {
	var all []ProviderOf
	seen := map[string]bool{}
	for _, b := range boxes {
		if seen[b.Provider.Name] {
			continue
		}
		seen[b.Provider.Name] = true
		p, _, diags, err := e.bindProvider(ctx, b)
		if diags.HasErrors() {
			err = errors.Join(err, &DiagError{diags})
		}
		all = append(all, ProviderOf{b.Provider.Name, p, err})
	}
	if len(all) == 0 {
		all = append(all, e.withDefaults(ctx, config.DefaultProvider))
	}
	return all
}

func (e *Engine) withDefaults(ctx context.Context, name string) ProviderOf {
	plugin, err := e.Plugins.Provider(ctx, name)
	if err != nil {
		return ProviderOf{Name: name, Err: err}
	}
	return ProviderOf{Name: name, Provider: plugin.Bind(nil)}
}

// Found is what is known of a box without asking anybody.
type Found struct {
	Record  *state.Record // nil: none
	Keys    state.Keys
	KeysErr error
	ProviderOf
}

// Find returns what is known of the box of that name.
func (e *Engine) Find(ctx context.Context, name string) (Found, error) {
	all, err := e.Existing([]string{name})
	if err != nil || len(all) == 0 {
		return Found{}, err
	}
	r := all[0].record
	f := Found{Record: r, ProviderOf: e.withDefaults(ctx, r.Provider)}
	f.Keys, f.KeysErr = e.Home.LoadKeys(r.ID)
	return f, nil
}
