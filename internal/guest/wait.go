package guest

import (
	"context"
	"errors"
	"slices"
	"time"
)

// WaitOptions tune Wait. The zero value is ready to use.
type WaitOptions struct {
	// Alive is asked about every second, if set, whether waiting still makes
	// sense. Its error ends the waiting.
	Alive func(ctx context.Context) error
	// Stage is called when the connection gets to a stage for the first time.
	Stage func(stage string)
}

// Pauses between attempts. A refused connection costs nothing and is tried again
// soon. One that got as far as sshd is spared: OpenSSH 9.8 and later keeps
// clients out that connect over and over without logging in (sshd_config(5),
// PerSourcePenalties).
const (
	firstPause = 5 * time.Millisecond
	maxPause   = 100 * time.Millisecond
	loginPause = 500 * time.Millisecond
)

// An attempt's limits. A lost SYN is sent again by the kernel after a second
// only, so a short attempt and a new one is faster. sshd may be slow on a loaded
// host, but an attempt that hangs for good must not be the last.
const (
	firstTCP     = 250 * time.Millisecond
	maxTCP       = 2 * time.Second
	handshakeMax = 20 * time.Second
)

const aliveEvery = time.Second

// Wait connects as soon as the box can be logged in to. It tries again until
// that works or ctx ends, which is a [*NotReadyError]; another host key or a
// refused login will not heal and is a [*StageError] at once.
func Wait(ctx context.Context, t Target, o WaitOptions) (*Client, error) {
	d, err := newDialer(t)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if o.Alive != nil {
		go watch(ctx, cancel, o.Alive)
	}
	w := &waiter{dialer: d, report: o.Stage, tcp: firstTCP, pause: firstPause}
	for {
		c, err := w.try(ctx)
		if err == nil {
			return c, nil
		}
		if errors.Is(err, ErrHostKey) || errors.Is(err, ErrAuth) {
			return nil, err
		}
		if ctx.Err() == nil {
			w.last = err
			w.sleep(ctx)
		}
		if ctx.Err() != nil {
			return nil, &NotReadyError{Stage: stages[w.furthest], Addr: t.Addr, Last: w.last, Waited: time.Since(start), Cause: context.Cause(ctx)}
		}
	}
}

// watch ends ctx when the box is not alive.
func watch(ctx context.Context, cancel context.CancelCauseFunc, alive func(context.Context) error) {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := alive(ctx); err != nil {
			cancel(err)
			return
		}
	}
}

var stages = []string{StageTCP, StageHandshake, StageLogin}

type waiter struct {
	dialer   *dialer
	report   func(string)
	told     int // stages reported
	furthest int // index into stages of any attempt
	at       int // index into stages of this attempt
	last     error
	tcp      time.Duration
	pause    time.Duration
}

// try makes one attempt within its limits.
func (w *waiter) try(ctx context.Context) (*Client, error) {
	attempt, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := time.AfterFunc(w.tcp, func() { cancel(errors.New("no answer")) })
	defer limit.Stop()
	c, err := w.dialer.dial(attempt, func(stage string) {
		w.at = slices.Index(stages, stage)
		if w.at > 0 {
			limit.Reset(handshakeMax)
		}
		w.reach(stage)
	})
	// An attempt that its own limit ended says where it was.
	if err != nil && ctx.Err() == nil && attempt.Err() != nil {
		err = &StageError{Stage: stages[w.at], Addr: w.dialer.target.Addr, Err: context.Cause(attempt)}
	}
	return c, err
}

func (w *waiter) reach(stage string) {
	w.furthest = max(w.furthest, w.at)
	if w.told <= w.at {
		w.told = w.at + 1
		if w.report != nil {
			w.report(stage)
		}
	}
}

// sleep pauses between two attempts.
func (w *waiter) sleep(ctx context.Context) {
	pause := w.pause
	w.pause = min(2*w.pause, maxPause)
	w.tcp = min(2*w.tcp, maxTCP)
	if stages[w.at] == StageLogin {
		pause = loginPause
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
