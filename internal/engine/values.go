package engine

import (
	"context"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/provider"
)

// resolve decodes the wanted steps whose arguments use addresses of boxes, which
// are up by now.
func (e *Engine) resolve(ctx context.Context, t *target, wanted func(*step) bool) error {
	ips := map[string]string{}
	for i, s := range t.steps {
		if s.args != nil || !wanted(s) {
			continue
		}
		for _, name := range s.block.Uses() {
			if ips[name] != "" {
				continue
			}
			ip, err := e.address(ctx, t, name)
			if err != nil {
				return fmt.Errorf("step %s (%s) uses a value of box %q: %w", s.title(), s.block.DeclRange, name, err)
			}
			ips[name] = ip
		}
		known, diags, err := e.decodeStep(ctx, t.box, s.block, s.block.With(ips))
		if err != nil {
			return err
		}
		if diags.HasErrors() {
			return &RefusedError{Err: diags, Diags: diags}
		}
		if known.args == nil { // not known to happen: addresses are all that was missing
			return fmt.Errorf("step %s (%s): an argument has no value", s.title(), s.block.DeclRange)
		}
		t.steps[i] = known
	}
	return nil
}

// address returns the IP address at which t reaches a box, which must be running.
func (e *Engine) address(ctx context.Context, t *target, name string) (string, error) {
	a, err := e.Access(e.Envfile.Box(name))
	if err != nil {
		return "", err
	}
	p, err := e.provider(ctx, &Existing{record: a.Record})
	if err != nil {
		return "", err
	}
	now, err := p.Inspect(ctx, a.Record.ID)
	if err != nil {
		return "", err
	}
	if now.State != provider.Running {
		return "", fmt.Errorf("the box is %s: start it with berth up %s", now.State, name)
	}
	var reader provider.Box
	if t.record != nil && t.record.Made {
		for _, n := range t.record.Networks {
			reader.Networks = append(reader.Networks, provider.Network{Name: n.Name})
		}
	} else { // it has none yet, and will have these
		reader.Networks = e.networks(t.box)
	}
	ip := addressFor(reader, now)
	if ip == "" {
		return "", fmt.Errorf("provider %q gives no address but %q", a.Record.Provider, now.SSHAddr)
	}
	return ip, nil
}

// distinctDiags drops what was said already: a block that makes several boxes is
// checked for each.
func distinctDiags(diags hcl.Diagnostics) hcl.Diagnostics {
	type key struct {
		at              hcl.Range
		summary, detail string
	}
	seen := map[key]bool{}
	var out hcl.Diagnostics
	for _, d := range diags {
		k := key{summary: d.Summary, detail: d.Detail}
		if d.Subject != nil {
			k.at = *d.Subject
		}
		if !seen[k] {
			out = append(out, d)
		}
		seen[k] = true
	}
	return out
}

// withNeeds returns boxes with all that they depend on, in the order in which
// they come up, and which of them were not asked for.
func withNeeds(e *config.Envfile, boxes []*config.Box) (all, added []*config.Box) {
	asked, wanted := map[string]bool{}, map[string]bool{}
	for _, b := range boxes {
		asked[b.Name], wanted[b.Name] = true, true
		for dep := range needs(e, b.Name) {
			wanted[dep] = true
		}
	}
	for _, b := range inOrder(e.Boxes) {
		if !wanted[b.Name] {
			continue
		}
		all = append(all, b)
		if !asked[b.Name] {
			added = append(added, b)
		}
	}
	return all, added
}
