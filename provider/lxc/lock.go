package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Locks are flock(2) on files: the kernel drops them with the process. The files
// stay, since removing one would let two holders in.

// flock takes an exclusive lock.
func flock(path string) (unlock func(), err error) { return lockAs(path, unix.LOCK_EX) }

// lockShared takes a lock that others can have at the same time, but not with
// tryLock.
func lockShared(path string) (unlock func(), err error) { return lockAs(path, unix.LOCK_SH) }

// tryLock takes an exclusive lock if it is free.
func tryLock(path string) (unlock func(), free bool, err error) {
	unlock, err = lockAs(path, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, false, nil
	}
	return unlock, err == nil, err
}

// lockWaiting is flock for locks that may be held for long: waiting is called
// once if it must wait, and ctx ends the wait.
func lockWaiting(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	return lockWaitingAs(ctx, path, unix.LOCK_EX, waiting)
}

func lockWaitingAs(ctx context.Context, path string, how int, waiting func()) (unlock func(), err error) {
	// flock(2) cannot be cancelled, so look again and again.
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for waited := false; ; waited = true {
		unlock, err := lockAs(path, how|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return unlock, err
		}
		if !waited {
			waiting()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func lockAs(path string, how int) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	return lockOpen(f, how)
}

// lockDir locks a folder itself.
func lockDir(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	return lockOpen(f, unix.LOCK_EX)
}

// lockOpen takes a lock, and closes f with it.
func lockOpen(f *os.File, how int) (unlock func(), err error) {
	for {
		err = unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}
