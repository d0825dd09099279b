package providertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/berth/provider"
)

// limit is the time for one call. An image may have to be built first.
const limit = 5 * time.Minute

// soon is the time for a call whose context has ended, and for one that has
// nothing to do.
const soon = 15 * time.Second

// Run checks the provider that open returns. All values that open returns share
// their boxes, as the processes of several commands do: they have one data
// folder. The spec is that of a box which can be made here; its ID must be
// unique, and boxes whose ID begins with it are made and destroyed.
//
// The subtests build on one another, in the order of a box's life.
func Run(t *testing.T, open func(t *testing.T) provider.Provider, spec provider.Spec) {
	s := &suite{open: open, spec: spec}
	s.destroyAtTheEnd(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"check", s.check},
		{"examine", s.examine},
		{"images", s.images},
		{"a missing box", s.missing},
		{"create", s.create},
		{"start", s.start},
		{"stop", s.stop},
		{"start and stop by force", s.force},
		{"destroy a running box", s.destroy},
		{"a cancelled context", s.cancelled},
		{"two boxes at once", s.two},
		{"checkpoints", s.checkpoints},
	} {
		if !t.Run(part.name, part.run) {
			t.Log("the rest is left out")
			break
		}
	}
}

// twins end the names of two boxes that exist at once.
var twins = [2]string{"-a", "-b"}

type suite struct {
	open func(t *testing.T) provider.Provider
	spec provider.Spec
	addr string // after the first start
}

func (s *suite) check(t *testing.T) {
	if err := s.open(t).Check(ctx(t)); err != nil {
		t.Fatalf("Check: %v", err)
	}
}

func (s *suite) missing(t *testing.T) {
	p, id := s.open(t), s.spec.ID
	_, inspect := p.Inspect(ctx(t), id)
	_, logs := p.Logs(ctx(t), id)
	for call, err := range map[string]error{
		"Inspect": inspect,
		"Logs":    logs,
		"Start":   p.Start(ctx(t), s.spec, nil),
		"Stop":    p.Stop(ctx(t), id, 0, nil),
		"Destroy": p.Destroy(ctx(t), id, nil),
	} {
		if !errors.Is(err, provider.ErrNotFound) {
			t.Errorf("%s of a box that was never made: %v, want ErrNotFound", call, err)
		}
	}
}

func (s *suite) create(t *testing.T) {
	var news events
	if err := s.open(t).Create(ctx(t), s.spec, news.report); err != nil {
		t.Fatalf("Create: %v", err)
	}
	news.verify(t)
	s.expect(t, s.spec.ID, provider.Stopped)
	if _, err := s.open(t).Logs(ctx(t), s.spec.ID); err != nil {
		t.Errorf("Logs of a box that has never run: %v", err)
	}

	other := s.spec
	other.Image, other.Hostname, other.User = "no-such-image-of-providertest", "other", "other"
	quick(t, "Create of a box that exists, whatever the spec says", func() error {
		return s.open(t).Create(ctx(t), other, nil)
	})
	s.expect(t, s.spec.ID, provider.Stopped)
	quick(t, "Stop of a stopped box", func() error { return s.open(t).Stop(ctx(t), s.spec.ID, time.Minute, nil) })
}

func (s *suite) start(t *testing.T) {
	var news events
	if err := s.open(t).Start(ctx(t), s.spec, news.report); err != nil {
		t.Fatalf("Start: %v", err)
	}
	news.verify(t)
	s.addr = s.expect(t, s.spec.ID, provider.Running).SSHAddr
	quick(t, "Start of a running box", func() error { return s.open(t).Start(ctx(t), s.spec, nil) })
	quick(t, "Create of a running box", func() error { return s.open(t).Create(ctx(t), s.spec, nil) })
	s.expect(t, s.spec.ID, provider.Running)
	logs, err := s.open(t).Logs(ctx(t), s.spec.ID)
	if err != nil {
		t.Errorf("Logs of a running box: %v", err)
	}
	for _, l := range logs {
		if l.Name == "" {
			t.Errorf("a log has no name: %+v", l)
		}
	}
}

func (s *suite) stop(t *testing.T) {
	if err := s.open(t).Stop(ctx(t), s.spec.ID, time.Minute, nil); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	s.expect(t, s.spec.ID, provider.Stopped)
	quick(t, "Stop of a stopped box", func() error { return s.open(t).Stop(ctx(t), s.spec.ID, time.Minute, nil) })
}

func (s *suite) force(t *testing.T) {
	if err := s.open(t).Start(ctx(t), s.spec, nil); err != nil {
		t.Fatalf("Start after a stop: %v", err)
	}
	if addr := s.expect(t, s.spec.ID, provider.Running).SSHAddr; addr != s.addr {
		t.Errorf("the address is %q after a restart and was %q; it must stay the same", addr, s.addr)
	}
	quick(t, "Stop with a grace of 0", func() error { return s.open(t).Stop(ctx(t), s.spec.ID, 0, nil) })
	s.expect(t, s.spec.ID, provider.Stopped)
}

func (s *suite) destroy(t *testing.T) {
	p := s.open(t)
	if err := p.Start(ctx(t), s.spec, nil); err != nil {
		t.Fatalf("Start: %v", err)
	}
	if err := p.Destroy(ctx(t), s.spec.ID, nil); err != nil {
		t.Fatalf("Destroy of a running box: %v", err)
	}
	if _, err := s.open(t).Inspect(ctx(t), s.spec.ID); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("Inspect of a destroyed box: %v, want ErrNotFound", err)
	}
	if err := p.Destroy(ctx(t), s.spec.ID, nil); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("Destroy of a destroyed box: %v, want ErrNotFound", err)
	}
}

// cancelled checks that a context which has ended is honoured, and that what a
// call has left behind hinders neither Destroy nor Create.
func (s *suite) cancelled(t *testing.T) {
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	p := s.open(t)
	canceled := func(call string, do func() error) {
		t.Helper()
		begin := time.Now()
		if err := do(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v, want context.Canceled", call, err)
		}
		if d := time.Since(begin); d > soon {
			t.Errorf("%s with a cancelled context took %s", call, d)
		}
	}
	canceled("Create", func() error { return p.Create(dead, s.spec, nil) })
	if err := p.Destroy(ctx(t), s.spec.ID, nil); err != nil && !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("Destroy after a cancelled Create: %v", err)
	}
	canceled("Create", func() error { return p.Create(dead, s.spec, nil) })
	if err := p.Create(ctx(t), s.spec, nil); err != nil {
		t.Fatalf("Create after a cancelled Create: %v", err)
	}
	canceled("Start", func() error { return p.Start(dead, s.spec, nil) })
	if err := p.Start(ctx(t), s.spec, nil); err != nil {
		t.Fatalf("Start after a cancelled Start: %v", err)
	}
	s.expect(t, s.spec.ID, provider.Running)
	if err := p.Destroy(ctx(t), s.spec.ID, nil); err != nil {
		t.Errorf("Destroy: %v", err)
	}
}

func (s *suite) two(t *testing.T) {
	var specs [2]provider.Spec
	for i := range specs {
		specs[i] = s.spec
		specs[i].ID += twins[i]
	}
	p := s.open(t)
	var all sync.WaitGroup
	for _, spec := range specs {
		all.Go(func() {
			if err := p.Create(ctx(t), spec, nil); err != nil {
				t.Errorf("Create of %s: %v", spec.ID, err)
			} else if err := p.Start(ctx(t), spec, nil); err != nil {
				t.Errorf("Start of %s: %v", spec.ID, err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	a, b := s.expect(t, specs[0].ID, provider.Running), s.expect(t, specs[1].ID, provider.Running)
	if a.SSHAddr == b.SSHAddr {
		t.Errorf("both boxes have the address %s", a.SSHAddr)
	}
	if err := p.Destroy(ctx(t), specs[0].ID, nil); err != nil {
		t.Errorf("Destroy of %s: %v", specs[0].ID, err)
	}
	s.expect(t, specs[1].ID, provider.Running)
}

// expect checks a box with a value that has not seen it before.
func (s *suite) expect(t *testing.T, id string, want provider.State) provider.Box {
	t.Helper()
	box, err := s.open(t).Inspect(ctx(t), id)
	if err != nil {
		t.Fatalf("Inspect of %s: %v", id, err)
	}
	if box.ID != id || box.State != want {
		t.Errorf("box %q is %s, want box %q %s", box.ID, box.State, id, want)
	}
	switch running := want == provider.Running; {
	case running && box.SSHAddr == "":
		t.Error("a running box has no SSHAddr")
	case running && (box.Started.IsZero() || time.Since(box.Started).Abs() > limit):
		t.Errorf("a box that was just started was started at %s", box.Started)
	case !running && (!box.Started.IsZero() || box.Usage != (provider.Usage{}) || box.Limits != (provider.Resources{})):
		t.Errorf("a box that does not run has a start, usage or limits: %+v", box)
	}
	return box
}
