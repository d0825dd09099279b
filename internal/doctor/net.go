package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/berth-dev/berth/internal/guest"
)

// Network is the real way to boxes.
type Network struct{}

// Route asks the kernel: a UDP socket that is connected sends nothing.
func (Network) Route(addr string) (string, error) {
	c, err := net.Dial("udp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	from, _, _ := net.SplitHostPort(c.LocalAddr().String())
	links, err := net.Interfaces()
	if err != nil {
		return "from " + from, nil
	}
	for _, l := range links {
		addrs, _ := l.Addrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.String() == from {
				return fmt.Sprintf("%s, from %s", l.Name, from), nil
			}
		}
	}
	return "from " + from, nil
}

// tcpTimeout is far longer than a bridge on this host takes.
const tcpTimeout = 3 * time.Second

// Login enters the box and leaves it again.
func (Network) Login(ctx context.Context, t guest.Target) error {
	plain, err := (&net.Dialer{Timeout: tcpTimeout}).DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return &guest.StageError{Stage: guest.StageTCP, Addr: t.Addr, Err: err}
	}
	plain.Close()
	c, err := guest.Dial(ctx, t)
	if errors.Is(err, context.DeadlineExceeded) {
		return &guest.StageError{Stage: guest.StageHandshake, Addr: t.Addr, Err: errors.New("no answer in time")}
	}
	if err != nil {
		return err
	}
	return c.Close()
}
