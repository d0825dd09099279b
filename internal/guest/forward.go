package guest

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"
)

// Closed returns a channel that is closed when the connection has ended.
func (c *Client) Closed() <-chan struct{} { return c.closed }

// DialIn connects from within the box: to a TCP address as the box sees it, or,
// with network "unix", to the path of a socket. The connection can close one
// direction alone: it has a method CloseWrite.
func (c *Client) DialIn(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := c.conn.DialContext(ctx, network, addr)
	if err == nil {
		c.opened()
		return conn, nil
	}
	var refused *ssh.OpenChannelError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &refused):
		return nil, fmt.Errorf("connect to %s in the box: %s", addr, refused.Message)
	}
	return nil, c.lost(err)
}

// ListenIn listens in the box, at a TCP address or, with network "unix", at the
// path of a socket.
func (c *Client) ListenIn(network, addr string) (net.Listener, error) {
	l, err := c.conn.Listen(network, addr)
	if err != nil && !c.alive() {
		return nil, c.lost(err)
	}
	if err != nil { // sshd gives no reason
		return nil, fmt.Errorf("listen at %s in the box: sshd refuses, as when it is in use there", addr)
	}
	c.opened()
	return l, nil
}

func (c *Client) opened() {
	if c.started != nil {
		c.started()
	}
}
