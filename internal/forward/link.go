package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/berth-dev/berth/internal/guest"
)

// GiveUp is how long a box that cannot be reached is tried again, unless a Config
// says otherwise: a reboot in the box takes seconds.
const GiveUp = 2 * time.Minute

// The limits of connecting. A box that is frozen takes the connection and does
// not go on; that is no reason to give up.
const (
	attemptLimit = 20 * time.Second
	firstPause   = 100 * time.Millisecond
	maxPause     = 2 * time.Second
	slowPause    = 5 * time.Second // after an attempt that was not answered
	probeLimit   = 3 * time.Second
	waitForLink  = 15 * time.Second // how long a connection of a user waits for it
)

var errGone = errors.New("the box is gone")

// link is the SSH connection to the box, made again when it is lost.
type link struct {
	target guest.Target
	giveUp time.Duration
	limit  time.Duration // of one attempt
	slow   time.Duration // the pause after one that was not answered
	log    *logFile

	mu     sync.Mutex
	client *guest.Client
	up     chan struct{} // closed while client is set
}

func newLink(t guest.Target, giveUp time.Duration, log *logFile) *link {
	if giveUp == 0 {
		giveUp = GiveUp
	}
	return &link{target: t, giveUp: giveUp, limit: attemptLimit, slow: slowPause, log: log, up: make(chan struct{})}
}

// host is the box's address.
func (l *link) host() string {
	host, _, _ := net.SplitHostPort(l.target.Addr)
	return host
}

func (l *link) set(c *guest.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = c
	if c != nil {
		close(l.up)
	} else {
		l.up = make(chan struct{})
	}
}

func (l *link) connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.client != nil
}

// get returns the connection, waiting a while for one.
func (l *link) get(ctx context.Context) (*guest.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, waitForLink)
	defer cancel()
	for {
		l.mu.Lock()
		client, up := l.client, l.up
		l.mu.Unlock()
		if client != nil {
			return client, nil
		}
		select {
		case <-up:
		case <-ctx.Done():
			return nil, fmt.Errorf("no connection to the box at %s", l.target.Addr)
		}
	}
}

// keep keeps the connection, and runs use with each one until that is lost. It
// returns when ctx ends, or errGone when the box does not come back.
func (l *link) keep(ctx context.Context, use func(context.Context, *guest.Client)) error {
	reached, pause := time.Now(), firstPause
	for ctx.Err() == nil {
		client, err := l.dial(ctx)
		if err == nil {
			l.run(ctx, client, use)
			l.log.printf("the connection to the box was lost")
			reached, pause = time.Now(), firstPause
			continue
		}
		if errors.Is(err, guest.ErrHostKey) {
			return fmt.Errorf("%w: %w", errGone, err)
		}
		var stage *guest.StageError
		wait := pause
		if errors.As(err, &stage) && stage.Stage != guest.StageTCP && !errors.Is(err, guest.ErrAuth) {
			reached = time.Now()
		}
		if errors.Is(err, context.DeadlineExceeded) && l.answers(ctx) {
			reached, wait = time.Now(), l.slow
		}
		if time.Since(reached) > l.giveUp {
			return fmt.Errorf("%w: no connection for %s: %w", errGone, l.giveUp, err)
		}
		pause = min(2*pause, maxPause)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return ctx.Err()
}

// answers reports whether somebody is at the box's address. A frozen box still is:
// the kernel takes its connections.
func (l *link) answers(ctx context.Context) bool {
	d := net.Dialer{Timeout: probeLimit}
	c, err := d.DialContext(ctx, "tcp", l.target.Addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

func (l *link) dial(ctx context.Context) (*guest.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	return guest.Dial(ctx, l.target)
}

func (l *link) run(ctx context.Context, client *guest.Client, use func(context.Context, *guest.Client)) {
	session, end := context.WithCancel(ctx)
	defer end()
	var using sync.WaitGroup
	l.set(client)
	using.Go(func() { use(session, client) })
	select {
	case <-client.Closed():
	case <-ctx.Done():
	}
	l.set(nil)
	end()
	client.Close()
	using.Wait()
}
