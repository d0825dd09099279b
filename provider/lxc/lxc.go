package lxc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"sort"
	"strings"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/hostcheck"
)

// lxcProvider is the provider; its tagged fields are the arguments of the
// provider "lxc" block.
type lxcProvider struct {
	Nesting     bool              `hcl:"nesting,optional"`     // containers in the box (Docker, Podman, LXC)
	Raw         map[string]string `hcl:"raw,optional"`         // further LXC settings, from a list of harmless ones
	Mirror      string            `hcl:"mirror,optional"`      // Debian mirror to build images from
	Nameservers []string          `hcl:"nameservers,optional"` // name servers for the box instead of the host's

	store store
	tools tools
	mode  mode
}

// New returns the provider with its state in provider.DataDir.
func New() provider.Provider { return Open(provider.DataDir()) }

// Open returns the provider with its state in a folder, for tests and tools that
// are not a plugin.
func Open(dataDir string) provider.Provider {
	s := store{root: dataDir}
	m := modeOf()
	return &lxcProvider{store: s, tools: m.tools(s), mode: m}
}

// Check reports what this host lacks, all at once.
func (p *lxcProvider) Check(ctx context.Context) error {
	if p.store.root == "" {
		return errors.New("$BERTH_PLUGIN_DATA is not set: this plugin is started by berth, not by hand")
	}
	return hostcheck.First(ctx, p.env())
}

// Validate checks the arguments beyond their types.
func (p *lxcProvider) Validate() error {
	keys := make([]string, 0, len(p.Raw))
	for k := range p.Raw {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if err := checkRaw(k, p.Raw[k]); err != nil {
			return &provider.ArgError{Arg: "raw." + k, Err: err}
		}
	}
	if p.Mirror != "" {
		u, err := url.Parse(p.Mirror)
		if err != nil || u.Host == "" && u.Scheme != "file" || strings.ContainsAny(p.Mirror, " \t\n[]") {
			return &provider.ArgError{Arg: "mirror",
				Err: fmt.Errorf("%q is not the URL of a Debian mirror, such as http://mirror.example/debian", p.Mirror)}
		}
	}
	for _, n := range p.Nameservers {
		if _, err := netip.ParseAddr(n); err != nil {
			return &provider.ArgError{Arg: "nameservers", Err: fmt.Errorf("%q is not an IP address", n)}
		}
	}
	return nil
}
