package forward

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/hostpath"
)

// place is where a Unix socket of the host is or comes to be. Its folder was opened
// once, for good: a box that has the folder, or one above it, can put something
// else there at any time, and what is bound, given away or removed by the path could
// then be any file of the host.
type place struct {
	path   string
	name   string   // in the folder
	folder *os.File // locked, so that of two commands that find a dead socket one replaces it
}

// openPlace opens and locks the folder of a socket.
func openPlace(path string) (*place, error) {
	path = filepath.Clean(path)
	at, err := hostpath.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unix.Close(at)
	fd, err := unix.Openat(at, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) // flock(2) takes no O_PATH
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	p := &place{path: path, name: filepath.Base(path), folder: os.NewFile(uintptr(fd), filepath.Dir(path))}
	p.lock()
	return p, nil
}

// lockTries times dyingPause is how long another command's lock is waited for.
const lockTries = 200

// lock waits for others that work on the folder's sockets, but not for ever: a box
// that has the folder can lock it as well, and is to keep nobody from halting it.
func (p *place) lock() {
	for range lockTries {
		if err := unix.Flock(int(p.folder.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			return
		}
		time.Sleep(dyingPause)
	}
}

func (p *place) close() { p.folder.Close() }

// socket opens the socket that is there, whatever its path leads to by now (O_PATH).
// It is an error that wraps fs.ErrNotExist when nothing is there.
func (p *place) socket() (fd int, st unix.Stat_t, err error) {
	fd, err = unix.Openat(int(p.folder.Fd()), p.name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, st, err
	}
	err = unix.Fstat(fd, &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		err = errNoSocket
	}
	if err != nil {
		unix.Close(fd)
		return -1, st, err
	}
	return fd, st, nil
}

var errNoSocket = errors.New("it exists and is no socket")

// check reports whether a socket can be bound: nothing is there, or a socket on
// which nobody listens any more.
func (p *place) check() error {
	fd, _, err := p.socket()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", p.path, err)
	}
	defer unix.Close(fd)
	c, err := dialFD(context.Background(), fd)
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return &TakenError{End: p.path}
	}
	return nil
}

// remove removes the socket that is there, and nothing else.
func (p *place) remove() error {
	fd, _, err := p.socket()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoSocket) {
		return nil
	}
	if err == nil {
		unix.Close(fd)
		err = unix.Unlinkat(int(p.folder.Fd()), p.name, 0)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the socket %s: %w", p.path, err)
	}
	return nil
}

// maxName is what of sockaddr_un (unix(7)) is left for a name after the longest
// /proc/self/fd/N/.
const maxName = 107 - len("/proc/self/fd/2147483647/")

// bind listens on a new socket, which only its owner can use.
func (p *place) bind() (*os.File, error) {
	if len(p.name) > maxName {
		return nil, fmt.Errorf("its name has %d bytes, and can have %d: write a shorter one", len(p.name), maxName)
	}
	// The file gets the mode that the socket has: by its path, another file that
	// somebody put there would get it.
	var failed error
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return errors.Join(c.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) }), failed)
	}}
	l, err := config.Listen(context.Background(), "unix", fdPath(int(p.folder.Fd()))+"/"+p.name)
	var sys syscall.Errno
	if errors.As(err, &sys) {
		return nil, sys // without the name that was used
	}
	if err != nil {
		return nil, err
	}
	defer l.Close()
	listener := l.(*net.UnixListener)
	listener.SetUnlinkOnClose(false)
	return listener.File()
}

// fdPath names an open file (proc(5)).
func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// dialFD connects to a socket that is open (O_PATH).
func dialFD(ctx context.Context, fd int) (net.Conn, error) {
	d := net.Dialer{Timeout: waitForLink}
	return d.DialContext(ctx, "unix", fdPath(fd))
}

// dialPath connects to a Unix socket of the host, following no link that a box may
// have made: it would lead the box to any other socket.
func dialPath(ctx context.Context, path string) (net.Conn, error) {
	fd, err := hostpath.Open(path)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	c, err := dialFD(ctx, fd)
	var sys syscall.Errno
	if errors.As(err, &sys) {
		return nil, fmt.Errorf("connect to %s: %w", path, sys)
	}
	return c, err
}
