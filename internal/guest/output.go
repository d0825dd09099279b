package guest

import (
	"context"
	"io"
	"time"
)

// Once a command has exited, whatever it left behind may hold its output open.
// Output is waited for while it flows, within limits, and then let go. Only
// waiting for the box counts: who reads here may take all the time in the world,
// as a person with a pager does.
type patience struct {
	idle  time.Duration // without any output
	limit time.Duration // in all
}

var drainPatience = patience{idle: time.Second, limit: 10 * time.Second}

const drainTick = 50 * time.Millisecond

// copy copies one stream of output in the background. When w fails, the rest of
// the stream is thrown away, lest the command stops for it.
func (p *process) copy(w io.Writer, r io.Reader, failed *error) {
	p.output.Go(func() {
		_, err := io.Copy(&sink{p, w}, r)
		if err != nil {
			*failed = err
			io.Copy(&sink{p, io.Discard}, r)
		}
	})
}

// sink notes when the output waits for its reader here, not for the box.
type sink struct {
	p *process
	w io.Writer
}

func (s *sink) Write(b []byte) (int, error) {
	s.p.flow.Add(1)
	s.p.writing.Add(1)
	defer s.p.writing.Add(-1)
	return s.w.Write(b)
}

// drain waits for the rest of the output of a command that has exited, and
// closes the channel. It reports whether all writers are done with. All that has
// come from the box is written however long that takes, unless ctx ends.
func (p *process) drain(ctx context.Context) bool {
	done := make(chan struct{})
	go func() {
		p.output.Wait()
		close(done)
	}()
	if p.flowsOut(ctx, done) {
		p.ch.Close()
		return true
	}
	go p.ch.Close() // sshd answers, which ends the copying
	return p.flowsOut(ctx, done)
}

// flowsOut reports whether the output came to its end before the limits did.
// With an ended ctx its reader is waited for no longer than the box.
func (p *process) flowsOut(ctx context.Context, done <-chan struct{}) bool {
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	most := p.client.patience
	var idle, all time.Duration
	for seen := p.flow.Load(); idle < most.idle && all < most.limit; {
		select {
		case <-done:
			return true
		case <-tick.C:
		}
		if p.writing.Load() > 0 && ctx.Err() == nil {
			idle = 0
			continue
		}
		idle, all = idle+drainTick, all+drainTick
		if n := p.flow.Load(); n != seen {
			seen, idle = n, 0
		}
	}
	return false
}
