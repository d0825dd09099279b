package forward

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/berth/internal/guest"
)

// Ports that are forwarded by themselves: those that a user's programs take, and
// not more of them than make sense.
const (
	firstAuto = 1024
	maxAuto   = 200
	autoEvery = time.Second
)

// scanCommand prints the listening TCP sockets of the box whenever they have
// changed. It looks once for each line that it reads, without starting a program,
// and ends with its input, so that nothing of it is left when the forwarder dies.
// "end" makes a line whole also when nothing listens.
const scanCommand = `exec sh -c 'last=; while read -r tick; do now=; for f in /proc/net/tcp /proc/net/tcp6; do ` +
	`test -r $f || continue; while read -r n l r s x; do test "$s" = 0A && now="$now $l"; done <$f; done; ` +
	`test "$now" = "$last" || echo "$now end"; last=$now; done'`

// watchPorts forwards what begins to listen in the box and ends what stops to.
func (s *server) watchPorts(ctx context.Context, client *guest.Client) {
	out, in := io.Pipe()
	defer out.Close()
	go watchWith(ctx, client, in)
	if err := scanPorts(out, s.reconcile); err != nil && ctx.Err() == nil {
		s.log.printf("auto_forward: %v", err)
	}
}

// watchWith runs the command in the box until ctx ends.
func watchWith(ctx context.Context, client *guest.Client, out *io.PipeWriter) {
	out.CloseWithError(client.Session(ctx, guest.SessionOptions{
		Command: scanCommand, Stdin: &ticker{ctx: ctx, every: autoEvery}, Stdout: out,
	}))
}

// scanPorts calls found with the ports that listen, whenever they change.
func scanPorts(r io.Reader, found func([]int)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		found(parsePorts(lines.Text()))
	}
	return lines.Err()
}

// ticker is an input that gives a line every so often.
type ticker struct {
	ctx   context.Context
	every time.Duration
	began bool
}

func (t *ticker) Read(b []byte) (int, error) {
	if t.began {
		select {
		case <-t.ctx.Done():
			return 0, io.EOF
		case <-time.After(t.every):
		}
	}
	t.began = true
	b[0] = '\n'
	return 1, nil
}

// parsePorts returns the ports of a line of scanCommand, in order.
func parsePorts(line string) []int {
	var ports []int
	for _, f := range strings.Fields(line) {
		if at, ok := parseProcAddr(f); ok && at.Port() >= firstAuto {
			ports = append(ports, int(at.Port()))
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// reconcile makes the ports that are forwarded by themselves those that listen.
func (s *server) reconcile(listening []int) {
	for name, a := range s.autos {
		if !slices.Contains(listening, a.guest) {
			a.stop()
			a.listener.Close()
			delete(s.autos, name)
			s.remove(name)
			s.tell(News{Closed: a.rule.GuestPort()})
		}
	}
	for _, p := range listening {
		name := fmt.Sprintf("auto-%d", p)
		if s.autos[name] != nil || s.declared(p) || s.ours(p) || len(s.autos) >= maxAuto {
			continue
		}
		if err := s.open(name, p); err != nil {
			s.log.printf("%s: %v", name, err)
		}
	}
}

// auto is a port that is forwarded by itself.
type auto struct {
	rule     Rule
	guest    int
	listener net.Listener
	stop     func() bool // no more closing at the end of the forwarder
}

// open forwards one port to the same port of the host or, if that is taken,
// another one.
func (s *server) open(name string, p int) error {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	socket, err := Bind(Rule{
		Name: name, Protocol: "tcp", Auto: true, Guest: fmt.Sprintf(":%d", p),
		Want: netip.AddrPortFrom(loopback, uint16(p)).String(), AutoCorrect: true, Range: DefaultRange,
	}, nil)
	if err != nil {
		return err
	}
	defer socket.Close()
	l, err := net.FileListener(socket.file)
	if err != nil {
		return err
	}
	s.autos[name] = &auto{socket.Rule, p, l, context.AfterFunc(s.ctx, func() { l.Close() })}
	r := &route{link: s.link, guest: socket.Rule.Guest}
	go s.serveStreams(s.ctx, name, l, r.dial)
	s.add(socket.Rule)
	s.tell(News{Opened: socket.Rule.GuestPort(), At: socket.Rule.Host})
	return nil
}

// declared reports whether a port of the box is forwarded already, or is one that
// a reversed forward listens on.
func (s *server) declared(p int) bool {
	return slices.ContainsFunc(s.cfg.Rules, func(r Rule) bool {
		return r.Protocol == "tcp" && port(r.Guest) == p
	})
}

// ours reports whether a port is one that this forwarder listens on itself. Only in
// a box that shares the host's network can that seem to be in the box.
func (s *server) ours(p int) bool {
	if !loopback(s.link.host()) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.live.Ports, func(o Port) bool { return !o.Reverse && port(o.Host) == p })
}
