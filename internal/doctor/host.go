package doctor

import (
	"context"
	"errors"
	"slices"

	"github.com/berth-dev/berth/provider"
)

// ProviderCode is the hop of a provider that says no more than that it cannot
// work, or that cannot be asked.
const ProviderCode = "BRT-PRV-01"

// Section is what was looked at for one thing.
type Section struct {
	Of   string // `provider "lxc"`, `box "web"`
	Hops []provider.Hop
}

// Broken reports whether a hop is broken.
func (s Section) Broken() bool {
	return slices.ContainsFunc(s.Hops, func(h provider.Hop) bool { return h.Verdict == provider.Broken })
}

// Host asks a provider how the host is: closely, if it can, or else what its
// Check says. err is why it could not be had.
func Host(ctx context.Context, name string, p provider.Provider, err error) Section {
	s := Section{Of: `provider "` + name + `"`}
	if err == nil {
		err = provider.ErrUnsupported
		if examiner, ok := p.(provider.Examiner); ok {
			s.Hops, err = examiner.Examine(ctx)
		}
		if errors.Is(err, provider.ErrUnsupported) {
			err = p.Check(ctx)
		}
	}
	s.Hops = append(s.Hops, hopsOf(err)...)
	if len(s.Hops) == 0 {
		s.Hops = []provider.Hop{{Chain: "provider", Name: "check", Code: ProviderCode, Verdict: provider.Good, Read: "it can work on this host"}}
	}
	return s
}

// hopsOf returns a broken hop for every problem in err.
func hopsOf(err error) []provider.Hop {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []provider.Hop
		for _, e := range joined.Unwrap() {
			if p := (*provider.Problem)(nil); errors.As(e, &p) {
				all = append(all, provider.Hop{Chain: "provider", Name: "check", Code: p.Code, Verdict: provider.Broken, Problem: p.Text, Fix: p.Fix})
			}
		}
		if len(all) > 0 {
			return all
		}
	}
	hop := provider.Hop{Chain: "provider", Name: "check", Code: ProviderCode, Verdict: provider.Broken, Problem: err.Error()}
	if p := (*provider.Problem)(nil); errors.As(err, &p) {
		hop.Code, hop.Problem, hop.Fix = p.Code, p.Text, p.Fix
	}
	return []provider.Hop{hop}
}
