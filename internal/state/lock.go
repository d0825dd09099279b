package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Holder is who has a box's lock.
type Holder struct {
	PID     int       `json:"pid"`
	Command string    `json:"command"` // "berth up web"
	Since   time.Time `json:"since"`
	// Workers are the plugins that act for it. They outlive a holder that is
	// killed by a moment, in which they undo what they were at.
	Workers []Worker `json:"workers,omitempty"`
	// Brief says that it needs the lock for a moment only, and is waited for.
	Brief bool `json:"brief,omitempty"`
}

// LockedError means that another command is changing the box.
type LockedError struct {
	Box    string
	Holder Holder // zero when it could not be read
}

func (e *LockedError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("box %s is being changed by another berth command: try again when it has ended", e.Box)
	}
	return fmt.Sprintf("box %s is being changed by %q (process %d, for %s): try again when it has ended",
		e.Box, e.Holder.Command, e.Holder.PID, time.Since(e.Holder.Since).Round(time.Second))
}

// How long a lock waits for a holder that is brief, and for one that has not yet
// said who it is.
const (
	briefPatience   = 5 * time.Second
	unknownPatience = 100 * time.Millisecond
)

// Lock takes the lock of a box for a command, or fails with *LockedError, at once
// unless the holder is brief. The kernel drops it when the process dies (flock(2)),
// so none is ever stale; but of a holder that was killed the workers are waited for.
func (h *Home) Lock(id, command string, workers []Worker) (unlock func(), err error) {
	return h.lock(id, Holder{Command: command, Workers: workers})
}

// LockBriefly is Lock for what is over in a moment, so that nobody else fails
// because of it.
func (h *Home) LockBriefly(id, command string, workers []Worker) (unlock func(), err error) {
	return h.lock(id, Holder{Command: command, Workers: workers, Brief: true})
}

func (h *Home) lock(id string, holder Holder) (unlock func(), err error) {
	holder.PID, holder.Since = os.Getpid(), time.Now()
	path := filepath.Join(h.boxDir(id), "lock")
	for {
		if err := h.make(h.boxDir(id)); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // a destroy removed the folder in between
		}
		if err != nil {
			return nil, fmt.Errorf("lock box %s: %w", id, err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			e := &LockedError{Box: id}
			_ = json.NewDecoder(f).Decode(&e.Holder) // a holder just beginning has written nothing yet
			f.Close()
			waited := time.Since(holder.Since)
			switch {
			case !errors.Is(err, unix.EWOULDBLOCK):
				return nil, fmt.Errorf("lock box %s: %w", id, err)
			case e.Holder.Brief && waited < briefPatience, e.Holder.PID == 0 && waited < unknownPatience:
				time.Sleep(lockPoll)
				continue
			}
			return nil, e
		}
		if !isAt(f, path) { // what was locked has been removed by a destroy
			f.Close()
			continue
		}
		if err := outlast(f); err != nil {
			f.Close()
			return nil, fmt.Errorf("lock box %s: %w", id, err)
		}
		if describe(f, holder) != nil {
			_ = f.Truncate(0) // a full disk must not keep from the destroy that makes room
		}
		return func() {
			// A folder with nothing but its lock is left by a box that was never
			// begun; it must not be, and cannot be removed if there is more.
			if _, err := os.Stat(filepath.Join(h.boxDir(id), "box.json")); errors.Is(err, os.ErrNotExist) && isAt(f, path) {
				_ = os.Remove(path)
				_ = os.Remove(h.boxDir(id))
			}
			_ = f.Truncate(0) // an orderly end: there is nobody to wait for
			f.Close()
		}, nil
	}
}

// lockPoll is how often a lock that is waited for is tried.
const lockPoll = 10 * time.Millisecond

// LockProject takes a lock for what concerns all boxes of a project, waiting for
// whoever has it; nobody keeps it for long.
func (h *Home) LockProject(ctx context.Context, id string) (unlock func(), err error) {
	path := h.projectFile(id) + ".lock"
	if err := h.make(filepath.Dir(path)); err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock the project: %w", err)
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && isAt(f, path) { // else it was removed with its project
			return func() {
				if _, err := os.Stat(h.projectFile(id)); errors.Is(err, os.ErrNotExist) && isAt(f, path) {
					_ = os.Remove(path) // the project's last box went meanwhile
				}
				f.Close()
			}, nil
		}
		f.Close()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the project: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another berth command in this project: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// LockHolder returns who has a box's lock, the zero Holder when nobody is known to.
func (h *Home) LockHolder(id string) Holder {
	f, err := os.Open(filepath.Join(h.boxDir(id), "lock"))
	if err != nil {
		return Holder{}
	}
	defer f.Close()
	var holder Holder
	if json.NewDecoder(f).Decode(&holder) != nil {
		return Holder{}
	}
	return holder
}

// describe writes who holds the lock.
func describe(f *os.File, holder Holder) error {
	b, err := json.Marshal(holder)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	return err
}

// isAt reports whether f is the file at path.
func isAt(f *os.File, path string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}
