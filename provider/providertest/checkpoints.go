package providertest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/berth-dev/berth/provider"
)

// checkpoints checks a provider that keeps disks. One that does not says so with
// ErrUnsupported, or does not implement provider.Checkpointer.
func (s *suite) checkpoints(t *testing.T) {
	c, ok := s.open(t).(provider.Checkpointer)
	if !ok {
		t.Skip("the provider keeps no disks")
	}
	if _, err := c.Checkpoints(ctx(t)); errors.Is(err, provider.ErrUnsupported) {
		t.Skip("the provider keeps no disks")
	} else if err != nil {
		t.Fatalf("Checkpoints: %v", err)
	}
	s.noCheckpoint(t, c)
	p := s.open(t)
	if err := p.Create(ctx(t), s.spec, nil); err != nil {
		t.Fatalf("Create: %v", err)
	}
	const stopped, running = "providertest-stopped", "providertest-running"
	s.keep(t, stopped)
	if err := p.Start(ctx(t), s.spec, nil); err != nil {
		t.Fatalf("Start: %v", err)
	}
	s.keep(t, running)
	s.keep(t, running) // which replaces it
	s.expect(t, s.spec.ID, provider.Running)
	s.cancelledCheckpoint(t, running)

	other := s.spec
	other.ID += "-c"
	other.Checkpoint = running
	if err := p.Create(ctx(t), other, nil); err != nil {
		t.Errorf("Create from a checkpoint of a box that runs: %v", err)
	}
	s.expect(t, other.ID, provider.Stopped)
	if err := p.Stop(ctx(t), s.spec.ID, 0, nil); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if err := c.Restore(ctx(t), s.spec, stopped, nil); err != nil {
		t.Errorf("Restore: %v", err)
	}
	if err := p.Destroy(ctx(t), s.spec.ID, nil); err != nil {
		t.Errorf("Destroy: %v", err)
	}
	for _, key := range []string{stopped, running} {
		if err := c.RemoveCheckpoint(ctx(t), key); err != nil {
			t.Errorf("RemoveCheckpoint of one whose box is gone: %v", err)
		}
	}
	s.noCheckpoint(t, c)
	if err := p.Start(ctx(t), other, nil); err != nil {
		t.Errorf("Start of a box whose checkpoint is gone: %v", err)
	}
	if err := p.Destroy(ctx(t), other.ID, nil); err != nil {
		t.Errorf("Destroy: %v", err)
	}
}

// keep makes a checkpoint and looks for it with a value that has not seen it.
func (s *suite) keep(t *testing.T, key string) {
	t.Helper()
	var news events
	if err := s.open(t).(provider.Checkpointer).Checkpoint(ctx(t), s.spec.ID, key, news.report); err != nil {
		t.Fatalf("Checkpoint %s: %v", key, err)
	}
	news.verify(t)
	all, err := s.open(t).(provider.Checkpointer).Checkpoints(ctx(t))
	i := slices.IndexFunc(all, func(c provider.Checkpoint) bool { return c.Key == key })
	if err != nil || i < 0 {
		t.Fatalf("Checkpoints: %s is not among them: %+v, %v", key, all, err)
	}
	if got := all[i]; got.Image != s.spec.Image || got.Created.IsZero() || got.Size < 0 || got.Shared < 0 {
		t.Errorf("checkpoint %+v", got)
	}
}

// cancelledCheckpoint checks that a call which has been given up leaves what
// there was.
func (s *suite) cancelledCheckpoint(t *testing.T, key string) {
	t.Helper()
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	c := s.open(t).(provider.Checkpointer)
	for _, k := range []string{key, "providertest-never"} {
		if err := c.Checkpoint(dead, s.spec.ID, k, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Checkpoint with a cancelled context: %v, want context.Canceled", err)
		}
	}
	all, err := c.Checkpoints(ctx(t))
	if err != nil || len(all) != 2 {
		t.Errorf("Checkpoints after one that was cancelled: %+v, %v; want 2", all, err)
	}
}

// noCheckpoint checks what is said of keys and boxes that do not exist.
func (s *suite) noCheckpoint(t *testing.T, c provider.Checkpointer) {
	t.Helper()
	spec := s.spec
	spec.ID, spec.Checkpoint = s.spec.ID+"-n", "providertest-none"
	for call, err := range map[string]error{
		"RemoveCheckpoint": c.RemoveCheckpoint(ctx(t), spec.Checkpoint),
		"Create":           s.open(t).Create(ctx(t), spec, nil),
	} {
		if !errors.Is(err, provider.ErrNoCheckpoint) {
			t.Errorf("%s of a checkpoint that does not exist: %v, want ErrNoCheckpoint", call, err)
		}
	}
	for call, err := range map[string]error{
		"Checkpoint": c.Checkpoint(ctx(t), spec.ID, "providertest-none", nil),
		"Restore":    c.Restore(ctx(t), spec, "providertest-none", nil),
	} {
		if !errors.Is(err, provider.ErrNotFound) {
			t.Errorf("%s of a box that does not exist: %v, want ErrNotFound", call, err)
		}
	}
}
