package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/provider"
)

// networks are the private networks that a box joins, each with what the other
// boxes of the Envfile say of it.
func (e *Engine) networks(b *config.Box) []provider.Network {
	var all []provider.Network
	for _, n := range b.Networks {
		p := provider.Network{Name: n.Name}
		if n.IP.IsValid() {
			p.IP = n.IP.String()
		}
		subnet, addrs := e.Envfile.Subnet(n.Name)
		if subnet.IsValid() {
			p.Subnet = subnet.String()
		}
		for _, a := range addrs {
			if a != n.IP.Addr() {
				p.Reserved = append(p.Reserved, a.String())
			}
		}
		all = append(all, p)
	}
	return all
}

// wanted are networks as far as they concern the box itself.
func wanted(networks []provider.Network) []provider.Network {
	var own []provider.Network
	for _, n := range networks {
		own = append(own, provider.Network{Name: n.Name, IP: n.IP, Subnet: n.Subnet})
	}
	return own
}

// rounds are the times at which the project's boxes are told where the others
// are. A round tells all of them all, from how things are when it begins; so any
// number of boxes that come up meanwhile need one more.
type rounds struct {
	mu   sync.Mutex // guards next
	next *round     // has not begun; nil: none
	busy sync.Mutex // held by the round that goes on
	// fewer is set when a box has gone, which the one that may be left must be told.
	fewer atomic.Bool
}

type round struct {
	done chan struct{}
	err  error // once done is closed
}

// tellWhile begins a round and returns a function that waits for its end.
func (e *Engine) tellWhile(ctx context.Context, voice *ui.Box) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.tell(ctx, voice)
	}()
	return func() { <-done }
}

// tell has all running boxes of the project told the names and addresses of the
// others as they are now. That a box could not be told is a warning.
func (e *Engine) tell(ctx context.Context, voice *ui.Box) {
	e.rounds.mu.Lock()
	r := e.rounds.next
	if r == nil {
		r = &round{done: make(chan struct{})}
		e.rounds.next = r
		go e.begin(context.WithoutCancel(ctx), r)
	}
	e.rounds.mu.Unlock()
	select {
	case <-r.done:
	case <-ctx.Done():
		return
	}
	if r.err != nil {
		voice.Warn("not all boxes know where the others are (the next berth up tells them again): %s", r.err.Error())
	}
}

// begin waits for the round before and does r.
func (e *Engine) begin(ctx context.Context, r *round) {
	e.rounds.busy.Lock()
	defer e.rounds.busy.Unlock()
	e.rounds.mu.Lock()
	e.rounds.next = nil // who comes from now on is not in this round
	e.rounds.mu.Unlock()
	defer close(r.done)
	ctx, cancel := cleanup(ctx)
	defer cancel()
	r.err = e.tellAll(ctx)
}

// member is a box of the project as it is now.
type member struct {
	record *state.Record
	plugin provider.Provider
	up     bool
	now    provider.Box
}

// tellAll does a round.
func (e *Engine) tellAll(ctx context.Context) error {
	if e.Project.ID == "" {
		return nil
	}
	// A box that is alone knows itself: no lock for it.
	if records, err := e.Home.Records(e.Project.ID); err != nil || e.alone(records) {
		return err
	}
	unlock, err := e.Home.LockProject(ctx, e.Project.ID)
	if err != nil {
		return err
	}
	defer unlock()
	records, err := e.Home.Records(e.Project.ID)
	if err != nil || e.alone(records) {
		return err
	}
	if err := e.Home.SetUntold(e.Project.ID, true); err != nil {
		return err
	}
	members := e.members(ctx, records)
	errs := make([]error, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		namer, ok := m.plugin.(provider.Namer)
		if !m.up || !ok {
			continue
		}
		wg.Go(func() {
			err := namer.SetHosts(ctx, m.record.ID, e.hostsFor(m, members))
			if err != nil && !errors.Is(err, provider.ErrUnsupported) && !errors.Is(err, provider.ErrNotRunning) && !errors.Is(err, provider.ErrNotFound) {
				errs[i] = fmt.Errorf("box %q: %w", m.record.Name, err)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return e.Home.SetUntold(e.Project.ID, false)
}

// alone reports whether nobody has to be told of anybody. A box that is left of
// several has to be told that the others have gone.
func (e *Engine) alone(records []*state.Record) bool {
	return len(records) == 0 || len(records) < 2 && len(e.Envfile.Boxes) < 2 && !e.rounds.fewer.Load()
}

// members asks how all boxes are, if any can be told of the others. One whose
// state cannot be found out is told nothing, and nothing is told of it.
func (e *Engine) members(ctx context.Context, records []*state.Record) []member {
	members := make([]member, len(records))
	told := false
	for i, r := range records {
		p, _ := e.provider(ctx, &Existing{record: r}) // nil when it cannot be had
		members[i] = member{record: r, plugin: p}
		_, can := p.(provider.Namer)
		told = told || can
	}
	if !told {
		return nil
	}
	var wg sync.WaitGroup
	for i := range members {
		m := &members[i]
		if m.plugin == nil {
			continue
		}
		wg.Go(func() {
			var err error
			m.now, err = m.plugin.Inspect(ctx, m.record.ID)
			m.up = err == nil && (m.now.State == provider.Running || m.now.State == provider.Frozen)
		})
	}
	wg.Wait()
	return members
}

// hostsFor returns what a box is told: the names of all others that are up.
func (e *Engine) hostsFor(reader member, all []member) []provider.Host {
	var hosts []provider.Host
	for _, m := range all {
		if ip := addressFor(reader.now, m.now); m.up && m.record != reader.record && ip != "" {
			hosts = append(hosts, provider.Host{IP: ip, Names: Names(m.record.Name, cmp.Or(e.Envfile.Project.Name, m.record.Project))})
		}
	}
	return hosts
}

// Names are the names of a box, in other boxes of its project and for the host.
func Names(box, project string) []string { return []string{box, box + "." + project + ".berth"} }

// addressFor returns the address at which one box reaches another: in the first
// of its private networks that both have, else the one that every box has.
func addressFor(reader, other provider.Box) string {
	for _, n := range reader.Networks {
		for _, o := range other.Networks {
			if n.Name == o.Name {
				ip, _, _ := strings.Cut(o.IP, "/")
				return ip
			}
		}
	}
	host, _, err := net.SplitHostPort(other.SSHAddr)
	if err != nil {
		return "" // it is not known yet
	}
	return host
}
