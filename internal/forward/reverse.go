package forward

import (
	"context"
	"net"
	"time"

	"github.com/berth-dev/berth/internal/guest"
)

// After a lost connection sshd may hold its listener for a moment longer, and a
// step may have to make the folder of a socket first.
const (
	firstReverse = 200 * time.Millisecond
	maxReverse   = 5 * time.Second
)

// reverse serves one reversed forward over one connection, trying until the box
// lets it. first is called with how the first attempt to listen went.
func (s *server) reverse(ctx context.Context, client *guest.Client, r Rule, first func(error)) {
	pause := firstReverse
	for try := 0; ; try++ {
		if isSocket(r.Guest) {
			s.removeDead(ctx, client, r.Guest)
		}
		l, err := client.ListenIn(network(r.Guest), r.Guest)
		if try == 0 && ctx.Err() == nil {
			first(err)
		}
		if try == 0 || err == nil {
			s.setProblem(r.Name, err)
		}
		if err == nil {
			stop := context.AfterFunc(ctx, func() { l.Close() })
			s.serveStreams(ctx, r.Name, l, func(ctx context.Context) (net.Conn, error) {
				if isSocket(r.Host) {
					return dialPath(ctx, r.Host)
				}
				d := net.Dialer{Timeout: waitForLink}
				return d.DialContext(ctx, "tcp", r.Host)
			})
			stop()
			return
		}
		if try == 0 {
			s.log.printf("%s: %v", r.Name, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, maxReverse)
	}
}

// removeDead removes a socket in the box that a lost connection has left there
// and that nobody listens on. What goes wrong, listening will say.
func (s *server) removeDead(ctx context.Context, client *guest.Client, path string) {
	_ = client.Session(ctx, guest.SessionOptions{
		Env: map[string]string{"BERTH_SOCKET": path},
		Command: `exec sh -c 'test -S "$BERTH_SOCKET" || exit 0; while read -r a b c d e f g name; do ` +
			`test "$name" = "$BERTH_SOCKET" && exit 0; done </proc/net/unix; rm -f -- "$BERTH_SOCKET"'`,
	})
}
