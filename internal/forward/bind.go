package forward

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/hostpath"
)

// Socket is a bound socket of the host.
type Socket struct {
	Rule Rule
	// Instead is why Rule.Host is not Rule.Want, nil if it is or any port was asked
	// for.
	Instead *TakenError
	file    *os.File
	inode   uint64 // of a Unix socket's file; 0: none, or it was gone at once
}

// Chown gives a Unix socket to a user. The box may be able to put other files
// where it is, so nothing but this socket is given.
func (s *Socket) Chown(uid, gid int) error {
	path := s.Rule.Host
	if !isSocket(path) {
		return nil
	}
	if err := s.chown(uid, gid); err != nil {
		return fmt.Errorf("give %s to its user: %w", path, err)
	}
	return nil
}

func (s *Socket) chown(uid, gid int) error {
	p, err := openPlace(s.Rule.Host)
	if err != nil {
		return err
	}
	defer p.close()
	fd, st, err := p.socket()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if st.Ino != s.inode {
		return errors.New("it has become another one")
	}
	return unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH)
}

// Close lets the socket go. A forwarder that has inherited it keeps it.
func (s *Socket) Close() error { return s.file.Close() }

// TakenError is a port or socket that somebody else has.
type TakenError struct {
	End    string // "127.0.0.1:8080"
	Holder Holder // zero when it is not known
}

func (e *TakenError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("%s is taken by another program", e.End)
	}
	return fmt.Sprintf("%s is taken by process %d (%s)", e.End, e.Holder.PID, e.Holder.Name)
}

// PrivilegedError is a port that only root may listen on.
type PrivilegedError struct{ Port int }

func (e *PrivilegedError) Error() string {
	return fmt.Sprintf("port %d needs root: ports below net.ipv4.ip_unprivileged_port_start, which is 1024 by default, do", e.Port)
}

// ErrNoPort means that every port of a range is taken.
var ErrNoPort = errors.New("no port is free")

// Bind binds the socket of the host on which a rule listens. When a port is to be
// chosen, the one of r.Host is tried first, and those to avoid are not. A port with a listening socket is held: nobody else can bind it.
func Bind(r Rule, avoid map[int]bool) (*Socket, error) {
	if isSocket(r.Want) {
		s, err := bindPath(r.Want)
		if err != nil {
			return nil, err
		}
		r.Host = r.Want
		s.Rule = r
		return s, nil
	}
	want, err := netip.ParseAddrPort(r.Want)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", r.Want, err)
	}
	s, before := &Socket{Rule: r}, r.Host
	if want.Port() != 0 {
		s.Rule.Host = r.Want
		s.file, err = bindPort(r.Protocol, want)
		var taken *TakenError
		if !errors.As(err, &taken) || !r.AutoCorrect {
			return s, err
		}
		s.Instead = taken
	}
	if err := s.choose(want.Addr(), before, avoid); err != nil {
		return nil, err
	}
	return s, nil
}

// choose binds a port of the rule's range: the one that it had, else the lowest
// that is free.
func (s *Socket) choose(ip netip.Addr, host string, avoid map[int]bool) error {
	ports := make([]int, 0, s.Rule.Range.Last-s.Rule.Range.First+2)
	if before, err := netip.ParseAddrPort(host); err == nil && host != s.Rule.Want {
		ports = append(ports, int(before.Port()))
	}
	for p := s.Rule.Range.First; p <= s.Rule.Range.Last; p++ {
		if !avoid[p] {
			ports = append(ports, p)
		}
	}
	for _, p := range ports {
		at := netip.AddrPortFrom(ip, uint16(p))
		f, err := bindPort(s.Rule.Protocol, at)
		var taken *TakenError
		switch {
		case err == nil:
			s.file, s.Rule.Host = f, at.String()
			return nil
		case !errors.As(err, &taken):
			return err
		}
	}
	return fmt.Errorf("choose a port of %s from %d to %d: %w", ip, s.Rule.Range.First, s.Rule.Range.Last, ErrNoPort)
}

// A process that dies closes one file after the other: its lock may be free a
// moment before its sockets are.
const (
	dyingTries = 20
	dyingPause = 10 * time.Millisecond
)

// patiently tries again while something is taken by nobody who can be found.
func patiently(try func() error) error {
	for n := 1; ; n++ {
		err := try()
		var taken *TakenError
		if n == dyingTries || !errors.As(err, &taken) || taken.Holder.PID != 0 {
			return err
		}
		time.Sleep(dyingPause)
	}
}

// bindPort binds and, for TCP, listens.
func bindPort(protocol string, at netip.AddrPort) (f *os.File, err error) {
	err = patiently(func() error {
		f, err = tryPort(protocol, at)
		return err
	})
	return f, err
}

func tryPort(protocol string, at netip.AddrPort) (*os.File, error) {
	var f *os.File
	var err error
	if protocol == "udp" {
		var c *net.UDPConn
		if c, err = net.ListenUDP(family("udp", at.Addr()), net.UDPAddrFromAddrPort(at)); err == nil {
			defer c.Close()
			f, err = c.File()
		}
	} else {
		var l *net.TCPListener
		if l, err = net.ListenTCP(family("tcp", at.Addr()), net.TCPAddrFromAddrPort(at)); err == nil {
			defer l.Close()
			f, err = l.File()
		}
	}
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return nil, &TakenError{End: at.String(), Holder: findHolder(protocol, at)}
	case errors.Is(err, unix.EACCES):
		return nil, &PrivilegedError{Port: int(at.Port())}
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return nil, fmt.Errorf("listen on %s: the host has no address %s", at, at.Addr())
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", at, err)
	}
	return f, nil
}

// CheckPath reports whether a Unix socket can be bound at path: nothing is there,
// or a socket on which nobody listens any more.
func CheckPath(path string) error {
	p, err := openPlace(path)
	if err != nil {
		return fmt.Errorf("listen on %s: its folder: %w", path, err)
	}
	defer p.close()
	return patiently(p.check)
}

// bindPath listens on a Unix socket. A dead one is replaced.
func bindPath(path string) (*Socket, error) {
	p, err := openPlace(path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: its folder: %w", path, err)
	}
	defer p.close()
	if err := patiently(p.check); err != nil {
		return nil, err
	}
	if err := p.remove(); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	f, err := p.bind()
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	s := &Socket{file: f}
	if fd, st, err := p.socket(); err == nil {
		unix.Close(fd)
		s.inode = st.Ino
	}
	return s, nil
}

// RemovePath removes a Unix socket on which nobody listens any more. Where a link
// or something else has come on the way, nothing is known of what is behind it, and
// it stays.
func RemovePath(path string) error {
	p, err := openPlace(path)
	var link *hostpath.LinkError
	switch {
	case errors.As(err, &link) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP):
		return nil
	case err != nil:
		return fmt.Errorf("remove the socket %s: %w", path, err)
	}
	defer p.close()
	if patiently(p.check) != nil {
		return nil // somebody else's by now
	}
	return p.remove()
}
