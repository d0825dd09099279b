package forward

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// halfCloser is a stream of which one direction can be closed: TCP, Unix sockets
// and SSH channels.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// join carries data both ways until both have ended. The end of one direction is
// passed on alone; an error ends both.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { carry(a, b) })
	both.Go(func() { carry(b, a) })
	both.Wait()
	a.Close()
	b.Close()
}

// carry copies to dst what src sends; between two sockets the kernel does it
// (splice(2), which io.Copy uses).
func carry(dst, src net.Conn) {
	_, err := io.Copy(dst, src)
	if err == nil {
		if d, ok := dst.(halfCloser); ok {
			err = d.CloseWrite()
		}
	}
	if err != nil {
		reset(dst)
		reset(src)
	}
}

// reset closes a connection so that its other end learns that something went
// wrong, where the protocol can say that.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // an error means that it is closed
	}
	c.Close()
}

// acceptPause is how long is waited when no connection can be taken, because of
// too many open files.
const acceptPause = 50 * time.Millisecond

// serveStreams takes connections and carries each to where dial leads. It returns
// when the listener is closed.
func (s *server) serveStreams(ctx context.Context, name string, l net.Listener, dial func(context.Context) (net.Conn, error)) {
	for {
		in, err := l.Accept()
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			s.log.printf("%s: %v", name, err)
			time.Sleep(acceptPause)
			continue
		}
		if err != nil {
			return
		}
		go func() {
			out, err := dial(ctx)
			if err != nil {
				s.log.printf("%s: %v", name, err)
				reset(in)
				return
			}
			join(in, out)
		}()
	}
}
