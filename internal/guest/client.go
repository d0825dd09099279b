package guest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/berth-dev/berth/provisioner"
)

// Client is a connection to a box. It can be used by several goroutines.
type Client struct {
	conn   *ssh.Client
	target Target
	closed chan struct{} // closed when the connection has ended
	dead   atomic.Bool   // the keepalive gave the connection up

	started  func()   // called whenever a session has started; may be nil
	patience patience // with output that a command leaves behind
}

// liveness says how a dead box is noticed: so many questions in a row, one
// every so often, without an answer.
type liveness struct {
	every time.Duration
	miss  int
}

var keepalive = liveness{every: 15 * time.Second, miss: 3}

func newClient(conn *ssh.Client, t Target, l liveness) *Client {
	c := &Client{conn: conn, target: t, closed: make(chan struct{}), patience: drainPatience}
	go func() {
		conn.Wait()
		close(c.closed)
	}()
	go c.keepalive(l)
	return c
}

// Close ends the connection. What still runs over it fails with
// provisioner.ErrConnection.
func (c *Client) Close() error {
	err := c.conn.Close()
	<-c.closed
	return err
}

// keepalive closes the connection when the box answers no more, so that a step
// does not wait for it for ever. Any answer counts, a refusal too; the name is
// OpenSSH's own (ssh_config(5), ServerAliveInterval).
func (c *Client) keepalive(l liveness) {
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	answered := make(chan struct{}, 1)
	waiting, missed := false, 0
	for {
		select {
		case <-c.closed:
			return
		case <-answered:
			waiting, missed = false, 0
			continue
		case <-tick.C:
		}
		if waiting {
			if missed++; missed >= l.miss {
				c.dead.Store(true)
				c.conn.Close()
				return
			}
			continue
		}
		waiting = true
		go func() {
			if _, _, err := c.conn.SendRequest("keepalive@openssh.com", true, nil); err == nil {
				answered <- struct{}{}
			}
		}()
	}
}

// lost says what became of the connection, for an error that came of it.
func (c *Client) lost(err error) error {
	if c.dead.Load() {
		return fmt.Errorf("%w: no answer from %s", provisioner.ErrConnection, c.target.Addr)
	}
	if err == nil {
		return fmt.Errorf("%w: %s closed it", provisioner.ErrConnection, c.target.Addr)
	}
	return fmt.Errorf("%w: %w", provisioner.ErrConnection, err)
}

// alive tells whether the connection is still up.
func (c *Client) alive() bool {
	select {
	case <-c.closed:
		return false
	default:
		return true
	}
}

// open opens a session channel (RFC 4254, section 6.1). It returns early when
// ctx ends, although the protocol cannot take the request back.
func (c *Client) open(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	type result struct {
		ch   ssh.Channel
		reqs <-chan *ssh.Request
		err  error
	}
	done := make(chan result, 1)
	go func() {
		ch, reqs, err := c.conn.OpenChannel("session", nil)
		done <- result{ch, reqs, err}
	}()
	select {
	case r := <-done:
		var refused *ssh.OpenChannelError
		if errors.As(r.err, &refused) {
			return nil, nil, fmt.Errorf("open ssh session: %w", r.err)
		}
		if r.err != nil {
			return nil, nil, c.lost(r.err)
		}
		return r.ch, r.reqs, nil
	case <-ctx.Done():
		go func() { // whoever comes late is sent away
			if r := <-done; r.err == nil {
				go ssh.DiscardRequests(r.reqs)
				r.ch.Close()
			}
		}()
		return nil, nil, ctx.Err()
	}
}
