package forward

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A direct connection to the box's address is quick or refused at once; one that
// a firewall swallows is not waited for again for a while.
const (
	directTimeout = time.Second
	avoidDirect   = time.Minute
)

// route leads from the host to one end in the box.
type route struct {
	link    *link
	guest   string
	own     bool         // see [Rule]
	swallow atomic.Int64 // until when a direct connection is not tried, Unix seconds
}

// reach returns where the host itself finds an address of the box; false: it does
// not. Another address of the box may be one of the host's, or of its network, to
// the host.
func (l *link) reach(ip string, own bool) (string, bool) {
	switch {
	case ip == "":
		return l.host(), true
	case loopback(ip):
		return "", false
	}
	return ip, own || ip == l.host()
}

// dial connects to the box. It waits for the SSH connection, which vouches that
// the address is the box's.
func (r *route) dial(ctx context.Context) (net.Conn, error) {
	client, err := r.link.get(ctx)
	if err != nil {
		return nil, err
	}
	if isSocket(r.guest) {
		return client.DialIn(ctx, "unix", r.guest)
	}
	ip, p, err := net.SplitHostPort(r.guest)
	if err != nil {
		return nil, err
	}
	if at, ok := r.link.reach(ip, r.own); ok && time.Now().Unix() >= r.swallow.Load() {
		conn, err := direct(ctx, at, p)
		if err == nil {
			return conn, nil
		}
		if !errors.Is(err, unix.ECONNREFUSED) {
			r.swallow.Store(time.Now().Add(avoidDirect).Unix())
		}
	}
	if ip != "" {
		return client.DialIn(ctx, "tcp", r.guest)
	}
	conn, err := client.DialIn(ctx, "tcp", net.JoinHostPort("127.0.0.1", p))
	if err != nil {
		if six, err := client.DialIn(ctx, "tcp", net.JoinHostPort("::1", p)); err == nil {
			return six, nil
		}
	}
	return conn, err
}

func direct(ctx context.Context, ip, port string) (net.Conn, error) {
	d := net.Dialer{Timeout: directTimeout}
	return d.DialContext(ctx, "tcp", net.JoinHostPort(ip, port))
}

// loopback reports whether an address means another machine's own.
func loopback(ip string) bool {
	a, err := netip.ParseAddr(ip)
	return err == nil && a.Unmap().IsLoopback()
}
