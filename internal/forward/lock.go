package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The lock belongs to the open file that command and forwarder share (fcntl(2),
// "Open file description locks"). Unlike that of flock(2) it can be looked at
// without being taken, so a look never keeps a forwarder from starting.
func wholeFile(kind int16) *unix.Flock_t {
	return &unix.Flock_t{Type: kind, Whence: io.SeekStart}
}

// Alive reports whether the box has a forwarder.
func (d Dir) Alive() (bool, error) {
	f, err := os.OpenFile(d.lock(), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the forwarder: %w", err)
	}
	defer f.Close()
	return isLocked(f)
}

func isLocked(f *os.File) (bool, error) {
	l := wholeFile(unix.F_WRLCK)
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, l); err != nil {
		return false, fmt.Errorf("look for the forwarder: %w", err)
	}
	return l.Type != unix.F_UNLCK, nil
}

// takeLock takes the lock, for a forwarder to inherit.
func (d Dir) takeLock() (*os.File, error) {
	f, err := os.OpenFile(d.lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the forwarder: %w", err)
	}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, wholeFile(unix.F_WRLCK)); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the forwarder: there is one already: %w", err)
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the forwarder: %w", err)
	}
	return f, nil
}

// readPID returns the process number that a lock file holds, 0 if none yet.
func readPID(f *os.File) int {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	text, ended := strings.CutSuffix(string(b[:n]), "\n")
	pid, err := strconv.Atoi(text)
	if err != nil || !ended || pid <= 0 {
		return 0
	}
	return pid
}

// PID returns the forwarder's process number, for people; 0 when there is none.
func (d Dir) PID() int {
	f, err := os.OpenFile(d.lock(), os.O_RDWR, 0)
	if err != nil {
		return 0
	}
	defer f.Close()
	if held, err := isLocked(f); err != nil || !held {
		return 0
	}
	return readPID(f)
}

// The times that a forwarder has: to begin, to end when asked and to be gone when
// killed.
const (
	beginTime = 5 * time.Second
	endTime   = 3 * time.Second
	killTime  = 5 * time.Second
	lookEvery = 10 * time.Millisecond
)

// Stop ends the box's forwarder, if it has one, and returns when it is gone.
func (d Dir) Stop(ctx context.Context) error {
	f, err := os.OpenFile(d.lock(), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end the forwarder: %w", err)
	}
	defer f.Close()
	process, err := find(ctx, f)
	if err != nil || process < 0 {
		return err
	}
	defer unix.Close(process)
	for _, step := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, endTime}, {unix.SIGKILL, killTime}} {
		if err := unix.PidfdSendSignal(process, step.signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("end the forwarder: %w", err)
		}
		if ended, err := awaitEnd(ctx, process, step.wait); ended || err != nil {
			return err
		}
	}
	return errors.New("end the forwarder: it does not end although it was killed")
}

// find returns a pidfd of the lock's holder, -1 when nobody holds it. While the
// lock is held after the pidfd was opened, that is the forwarder, and no later
// process of the same number.
func find(ctx context.Context, f *os.File) (int, error) {
	for until := time.Now().Add(beginTime); ; {
		pid := readPID(f)
		fd := -1
		if pid != 0 {
			fd, _ = unix.PidfdOpen(pid, 0) // an error means that it has ended, which the lock tells
		}
		held, err := isLocked(f)
		if err == nil && held && fd >= 0 && readPID(f) == pid {
			return fd, nil
		}
		if fd >= 0 {
			unix.Close(fd)
		}
		switch {
		case err != nil || !held:
			return -1, err
		case ctx.Err() != nil:
			return -1, ctx.Err()
		case time.Now().After(until):
			return -1, fmt.Errorf("end the forwarder: %s is locked by a process that does not say which it is", f.Name())
		}
		time.Sleep(lookEvery)
	}
}

// awaitEnd waits for a process. A pidfd can be read when it has ended
// (pidfd_open(2)).
func awaitEnd(ctx context.Context, process int, limit time.Duration) (bool, error) {
	for until := time.Now().Add(limit); time.Now().Before(until); {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		const slice = 100 // ms, after which ctx is looked at
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, slice)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("wait for the forwarder's end: %w", err)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}
