package guest

import (
	"net"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// A quickConn acknowledges what it reads at once. Until its first session starts,
// sshd leaves Nagle's algorithm on, and right after login it sends its host keys
// (hostkeys-00@openssh.com of OpenSSH's PROTOCOL), to which there is no answer.
// The answer to the first request then waits for the kernel's delayed
// acknowledgement of those: 40 ms, a third of the whole connection.
type quickConn struct {
	net.Conn
	raw  syscall.RawConn
	done atomic.Bool // a session has started
}

func quick(c net.Conn) *quickConn {
	q := &quickConn{Conn: c}
	if sc, ok := c.(syscall.Conn); ok {
		q.raw, _ = sc.SyscallConn()
	}
	return q
}

// Read reads, and has the kernel send its acknowledgement now (tcp(7),
// TCP_QUICKACK, which does not last).
func (q *quickConn) Read(b []byte) (int, error) {
	n, err := q.Conn.Read(b)
	if q.raw != nil && !q.done.Load() {
		q.raw.Control(func(fd uintptr) {
			// An error costs no more than the time that this saves.
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
		})
	}
	return n, err
}
