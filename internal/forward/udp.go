package forward

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A UDP client that says nothing for so long is forgotten; so many are known at
// most, and further ones get no answer until some are forgotten.
const (
	udpIdle       = 2 * time.Minute
	maxUDPClients = 1024
	maxDatagram   = 64 << 10
)

// packets carries UDP: each client of the host has a socket of its own to the
// box, so that answers find back.
type packets struct {
	link    *link
	guest   string // ip:port, ":port" for the box's address
	own     bool   // see [Rule]
	conn    *net.UDPConn
	idle    time.Duration
	mu      sync.Mutex
	clients map[netip.AddrPort]*net.UDPConn
}

func newPackets(l *link, r Rule, c *net.UDPConn) *packets {
	return &packets{link: l, guest: r.Guest, own: r.Own, conn: c, idle: udpIdle, clients: map[netip.AddrPort]*net.UDPConn{}}
}

// serve takes packets until the socket is closed.
func (p *packets) serve() {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil || !p.link.connected() {
			continue // a packet that cannot be delivered is lost, as in any network
		}
		if out := p.client(from); out != nil {
			_, _ = out.Write(buf[:n]) // the same
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.clients {
		c.Close()
	}
}

// client returns the socket of a client, nil when there can be none.
func (p *packets) client(from netip.AddrPort) *net.UDPConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.clients[from]; c != nil {
		_ = c.SetReadDeadline(time.Now().Add(p.idle)) // it can only be closed
		return c
	}
	if len(p.clients) >= maxUDPClients {
		return nil
	}
	host, port, _ := net.SplitHostPort(p.guest)
	host, ok := p.link.reach(host, p.own)
	if !ok {
		return nil
	}
	c, err := (&net.Dialer{}).DialContext(context.Background(), "udp", net.JoinHostPort(host, port))
	if err != nil {
		return nil
	}
	out := c.(*net.UDPConn)
	_ = out.SetReadDeadline(time.Now().Add(p.idle))
	p.clients[from] = out
	go p.answers(out, from)
	return out
}

// answers carries what the box sends back to a client.
func (p *packets) answers(out *net.UDPConn, to netip.AddrPort) {
	buf := make([]byte, maxDatagram)
	for {
		n, err := out.Read(buf)
		if errors.Is(err, unix.ECONNREFUSED) {
			continue // nothing listens there yet
		}
		if err != nil {
			break
		}
		_ = out.SetReadDeadline(time.Now().Add(p.idle))
		_, _ = p.conn.WriteToUDPAddrPort(buf[:n], to) // a client that has gone
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.clients, to)
	out.Close()
}
