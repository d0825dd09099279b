package lxc

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/berth-dev/berth/provider"
)

// nameForm is a name as hosts(5) may hold it, of at most maxHostName bytes. (As a
// part of the form, that would cost every start of berth most of a millisecond.)
var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

const maxHostName = 253

// hostsBlock writes what Berth keeps in a box's /etc/hosts: the box itself, by an
// address at which others reach it too, and the names it is told of.
func hostsBlock(r record, spec provider.Spec) (string, error) {
	own := provider.Host{IP: "127.0.1.1", Names: ownNames(r.Hostname, r.Name, r.Project)}
	switch {
	case len(r.NICs) > 0:
		own.IP = r.NICs[0].IP.Addr().String()
	case r.Addr.IsValid():
		own.IP = r.Addr.String()
	}
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
	for _, h := range append([]provider.Host{own}, spec.Hosts...) {
		if _, err := netip.ParseAddr(h.IP); err != nil {
			return "", fmt.Errorf("write the names that box %s is told of: %w", r.ID, err)
		}
		for _, n := range h.Names {
			if len(n) > maxHostName || !nameForm.MatchString(n) {
				return "", fmt.Errorf("write the names that box %s is told of: %q is no name of a host", r.ID, n)
			}
		}
		if len(h.Names) > 0 {
			fmt.Fprintf(&b, "%s %s\n", h.IP, strings.Join(h.Names, " "))
		}
	}
	return b.String(), nil
}

// ownNames are the names by which a box knows itself, the host name first: what
// comes first is what hostname -f shows.
func ownNames(hostname, name, project string) []string {
	names := []string{hostname}
	if short, _, dotted := strings.Cut(hostname, "."); dotted {
		names = append(names, short)
	}
	names = append(names, name)
	if project != "" {
		names = append(names, name+"."+project+".berth")
	}
	var all []string
	for _, n := range names {
		if n != "" && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}

// SetHosts writes the names of others into the hosts file of a running box.
func (p *lxcProvider) SetHosts(ctx context.Context, id string, hosts []provider.Host) error {
	r, err := p.store.load(id)
	if err != nil {
		return err
	}
	state, pid, err := p.tools.info(ctx, id)
	if err != nil {
		return err
	}
	if states[state] != provider.Running && states[state] != provider.Frozen || pid == 0 {
		return fmt.Errorf("tell box %s names: %w", id, provider.ErrNotRunning)
	}
	block, err := hostsBlock(r, provider.Spec{Hosts: hosts})
	if err != nil {
		return err
	}
	if err := p.mode.tell(r, pid, block); err != nil {
		return fmt.Errorf("write /etc/hosts of box %s: %w", id, err)
	}
	return ctx.Err()
}
