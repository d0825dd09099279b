package engine

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/berth-dev/berth/internal/forward"
)

// forwards are what up holds for a box: sockets that are bound before the box is
// made, so that a taken port is found early and nobody else gets a free one, and
// then the forwarder that has inherited them.
type forwards struct {
	dir     forward.Dir
	rules   []forward.Rule
	auto    bool
	before  *forward.Plan // what is on record
	keep    bool          // the forwarder that there is goes on
	hasty   bool          // what is reversed is not waited for
	sockets map[string]*forward.Socket
	running *forward.Running
	told    sync.WaitGroup // what passes on the forwarder's news
}

// close lets go of what the forwarder has inherited.
func (f *forwards) close() {
	for _, s := range f.sockets {
		s.Close()
	}
	if f.running != nil {
		f.running.Close()
		f.told.Wait()
	}
}

// claimForwards binds the ports of a box. Of one that runs, at addr, a forwarder
// that has the same to do goes on, and one that has not is ended once the new
// ports are had. The box's lock must be held.
func (e *Engine) claimForwards(ctx context.Context, t *target, running bool, addr string) (*forwards, error) {
	f := &forwards{
		dir: forward.Dir(e.Home.BoxDir(t.id)), rules: e.forwardRules(t.box), auto: t.box.AutoForward,
		sockets: map[string]*forward.Socket{},
	}
	var err error
	if f.before, err = f.dir.LoadPlan(); err != nil {
		return nil, err
	}
	if f.empty() && f.before.Empty() {
		return f, nil
	}
	alive, err := f.dir.Alive()
	if err != nil {
		return nil, err
	}
	f.remember()
	if alive && running && f.before.Addr == addr && f.before.Auto == f.auto && forward.Same(f.before.Rules, f.rules) {
		f.keep = true
		return f, nil
	}
	err = e.bindAll(t, f, func(r forward.Rule) bool { return !alive || !f.hadBefore(r) })
	if err == nil && alive {
		err = f.dir.Stop(ctx)
	}
	if err == nil {
		err = f.dir.Ended(f.before.Halted) // the sockets of a killed one too
	}
	if err == nil {
		err = e.bindAll(t, f, func(forward.Rule) bool { return true })
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *forwards) empty() bool { return len(f.rules) == 0 && !f.auto }

// remember gives ports that are chosen the numbers that they had.
func (f *forwards) remember() {
	for i := range f.rules {
		for _, old := range f.before.Rules {
			r := &f.rules[i]
			if (r.AnyPort() || r.AutoCorrect) && old.Name == r.Name && old.Protocol == r.Protocol && old.Want == r.Want {
				r.Host = old.Host
			}
		}
	}
}

// hadBefore reports whether the forwarder that there is holds what a rule wants.
func (f *forwards) hadBefore(r forward.Rule) bool {
	for _, old := range f.before.Rules {
		if !old.Reverse && old.Protocol == r.Protocol && (old.Host == r.Want || old.Host == r.Host) {
			return true
		}
	}
	return false
}

// bindAll binds the ports of those rules that are chosen and not bound yet. Unix
// sockets, which leave a file, are only checked: they are bound when that is on
// record.
func (e *Engine) bindAll(t *target, f *forwards, chosen func(forward.Rule) bool) error {
	avoid := declaredPorts(e.Envfile)
	for _, r := range f.rules {
		if r.Reverse || f.sockets[r.Name] != nil || !chosen(r) {
			continue
		}
		if r.IsSocket() {
			if err := forward.CheckPath(r.Want); err != nil {
				return e.forwardError(t, r, err)
			}
			continue
		}
		s, err := forward.Bind(r, avoid)
		if err != nil {
			return e.forwardError(t, r, err)
		}
		f.sockets[r.Name] = s
	}
	return nil
}

// startForwards starts the box's forwarder, once the box can be entered.
func (e *Engine) startForwards(ctx context.Context, t *target, f *forwards) error {
	switch {
	case f.keep || f.empty() && f.before.Empty():
		return nil
	case f.empty():
		t.voice.Say("forwards nothing any more")
		return f.dir.Clear()
	}
	sockets, err := e.settle(t, f)
	if err != nil {
		return err
	}
	keys, err := e.Home.LoadKeys(t.id)
	if err != nil {
		return err
	}
	f.running, err = forward.Start(forward.Config{
		Box: t.id, Dir: f.dir, Target: guestTarget(t.record, keys), Rules: f.rules, Auto: f.auto,
	}, sockets)
	if err != nil {
		return err
	}
	f.announce(t)
	return f.follow(ctx, t)
}

// settle puts on record what is forwarded, and binds what leaves a file. It
// returns the sockets in the order of the rules.
func (e *Engine) settle(t *target, f *forwards) ([]*forward.Socket, error) {
	for i, r := range f.rules {
		if s := f.sockets[r.Name]; s != nil {
			f.rules[i] = s.Rule
		} else {
			f.rules[i].Host = r.Want
		}
	}
	plan := &forward.Plan{Rules: f.rules, Auto: f.auto, Addr: t.record.SSH.Addr}
	if err := f.dir.SavePlan(plan); err != nil {
		return nil, err
	}
	var sockets []*forward.Socket
	for _, r := range f.rules {
		if r.IsSocket() {
			s, err := forward.Bind(r, nil)
			if err != nil {
				return nil, e.forwardError(t, r, err)
			}
			f.sockets[r.Name] = s
			if err := giveToOwner(s, e.Envfile.Root); err != nil {
				return nil, e.forwardError(t, r, err)
			}
		}
		if s := f.sockets[r.Name]; s != nil {
			sockets = append(sockets, s)
		}
	}
	return sockets, nil
}

// giveToOwner lets the project's owner, for whom root may be working, use a
// socket.
func giveToOwner(s *forward.Socket, project string) error {
	st, err := os.Stat(project)
	if err != nil {
		return err
	}
	owner, ok := st.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return s.Chown(int(owner.Uid), int(owner.Gid))
}

// announce tells where the box's ports are.
func (f *forwards) announce(t *target) {
	for _, r := range f.rules {
		if s := f.sockets[r.Name]; s != nil && s.Instead != nil {
			t.voice.Say("forward %q: %s, so it is %s instead", r.Name, s.Instead, r.Host)
		}
		t.voice.Say("%s", forwardText(r))
	}
}

// forwardText is a forward for people.
func forwardText(r forward.Rule) string {
	if r.Reverse {
		return fmt.Sprintf("forward %q: %s in the box leads to %s of the host", r.Name, r.GuestPort(), r.Host)
	}
	return fmt.Sprintf("forward %q: %s leads to %s in the box", r.Name, r.Host, r.GuestPort())
}

// reverseTimeout bounds what up waits for reversed forwards, which the box may
// refuse.
const reverseTimeout = 10 * time.Second

// follow waits until reversed forwards have been tried, if there are any, and
// passes the forwarder's news on as long as up runs.
func (f *forwards) follow(ctx context.Context, t *target) error {
	for _, r := range f.rules {
		if !r.Reverse || f.hasty {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, reverseTimeout)
		defer cancel()
		problems, err := f.running.Ready(limited)
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && limited.Err() != nil {
			t.voice.Warn("what is reversed is not there yet after %s (berth port shows how it is)", reverseTimeout)
		} else if err != nil {
			return err
		}
		for _, p := range problems {
			t.voice.Warn("%s; it is tried again and again (berth port shows how it is)", p)
		}
		break
	}
	f.told.Go(func() {
		for {
			n, ok := f.running.Next()
			switch {
			case !ok:
				return
			case n.Opened != "":
				t.voice.Say("port %s of the box is at %s", n.Opened, n.At)
			case n.Closed != "":
				t.voice.Say("port %s of the box is not forwarded any more", n.Closed)
			}
		}
	})
	return nil
}
