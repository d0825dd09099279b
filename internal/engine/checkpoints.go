package engine

import (
	"context"
	"errors"
	"time"

	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// A checkpoint is made after steps that together took this long; what took less
// is sooner done again than kept, and shares the next one's. At the end of a
// box's steps less is enough: there is no next one.
const (
	keepAfter    = time.Second
	keepAtTheEnd = 300 * time.Millisecond
)

// beginning is what a new box can start from: the zero value is its bare image.
type beginning struct {
	key   string
	steps []state.Step // that are done with it
}

// beginnings returns the checkpoints that a new box can start from, the one that
// saves most first. That there are none is no error, nor that they cannot be had.
func (e *Engine) beginnings(ctx context.Context, t *target) []beginning {
	c, ok := t.plugin.(provider.Checkpointer)
	if !ok || len(t.steps) == 0 {
		return nil
	}
	kept, err := c.Checkpoints(ctx)
	if err != nil {
		if !errors.Is(err, provider.ErrUnsupported) {
			t.voice.Warn("checkpoints cannot be used: %s", err.Error())
		}
		return nil
	}
	known := map[string]bool{}
	for _, k := range kept {
		known[k.Key] = true
	}
	// Addresses of other boxes, which are up by now, are arguments as well. Where
	// one is not known the chain ends, and the step itself says why.
	_ = e.resolve(ctx, t, func(s *step) bool { return s.block.Run != "never" })
	links, err := e.chain(ctx, t)
	if err != nil {
		t.voice.Warn("checkpoints cannot be used: %s", err.Error())
		return nil
	}
	var all []beginning
	var done []state.Step
	for _, l := range links {
		if l.step.block.Run == "once" {
			done = append(done[:len(done):len(done)], state.Step{ID: l.step.block.ID(), Hash: l.step.hash, Parts: l.step.parts, Status: state.StepDone, At: time.Now().UTC()})
		}
		if known[l.key] && l.keepable() {
			all = append([]beginning{{l.key, done}}, all...)
		}
	}
	return all
}

// keeping is how a box's steps are kept as they succeed. Only what steps do to a
// box that the same command has made is: after a failure, or by hand in between,
// anything may have happened to its disk.
type keeping struct {
	keys   map[string]string // of the steps that can be kept, by their ids
	last   string            // the id of the last of them
	unkept time.Duration     // what the steps since the last checkpoint took
}

// startKeeping begins to keep the steps of a box that was just made.
func (e *Engine) startKeeping(ctx context.Context, t *target) {
	if _, ok := t.plugin.(provider.Checkpointer); !ok || !t.fresh {
		return
	}
	links, err := e.chain(ctx, t)
	if err != nil {
		t.voice.Warn("steps are not kept as checkpoints: %s", err.Error())
		return
	}
	k := &keeping{keys: map[string]string{}}
	for _, l := range links {
		if l.keepable() {
			k.keys[l.step.block.ID()], k.last = l.key, l.step.block.ID()
		}
	}
	t.keeping = k
}

// keep makes a checkpoint after a step that took so long, if that is worth it.
// One that cannot be made is a pity and no failure.
func (e *Engine) keep(ctx context.Context, t *target, s *step, took time.Duration) {
	k := t.keeping
	if k == nil {
		return
	}
	key, ok := k.keys[s.block.ID()]
	k.unkept += took
	worth := k.unkept >= keepAfter || s.block.ID() == k.last && k.unkept >= keepAtTheEnd
	if !ok || !worth {
		return
	}
	t.voice.Stage("keeping the disk after " + s.title())
	err := t.plugin.(provider.Checkpointer).Checkpoint(ctx, t.id, key, t.report())
	switch {
	case errors.Is(err, provider.ErrUnsupported) || ctx.Err() != nil:
		t.keeping = nil
	case err != nil:
		t.voice.Warn("no checkpoint after step %s, so the next box runs it again: %s", s.title(), err.Error())
	default:
		k.unkept = 0
	}
}

// dropCheckpoint removes one that has turned out to be of no use.
func (e *Engine) dropCheckpoint(ctx context.Context, t *target, key string, why error) {
	t.voice.Warn("a checkpoint cannot be used, and more steps run instead: %s", why.Error())
	if c, ok := t.plugin.(provider.Checkpointer); ok {
		if err := c.RemoveCheckpoint(ctx, key); err != nil && !errors.Is(err, provider.ErrNoCheckpoint) {
			t.voice.Warn("it could not be removed either: %s", err.Error())
		}
	}
}
