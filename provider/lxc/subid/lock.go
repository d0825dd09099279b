package subid

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How often, and how far apart, shadow's programs try to get the lock.
const lockTries = 15

var lockPause = time.Second // shorter in tests

// lock keeps useradd and its like from changing the file at the same time, as they
// keep each other from it (lckpwdf(3) is for other files): a link PATH.lock to a
// file with the number of the process.
func lock(path string) (unlock func(), err error) {
	own := path + "." + strconv.Itoa(os.Getpid())
	name := path + ".lock"
	// Not renamed into place as other files are: it is to be no other's.
	_ = os.Remove(own)
	f, err := os.OpenFile(own, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	defer os.Remove(own)
	_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\x00") // as shadow writes it
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	for try := 1; ; try++ {
		err := os.Link(own, name)
		if err == nil {
			return func() { _ = os.Remove(name) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		holder, alive := holderOf(name)
		switch {
		case !alive:
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("lock %s: %w", path, err)
			}
		case try >= lockTries:
			return nil, fmt.Errorf("lock %s: process %s holds it (%s): wait until that has ended, and run this again", path, holder, name)
		default:
			time.Sleep(lockPause)
		}
	}
}

// holderOf returns the number in a lock, and whether that process is there. A lock
// without one counts as held: it may be being made.
func holderOf(name string) (holder string, alive bool) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	holder = strings.TrimRight(string(b), "\x00\n ")
	pid, err := strconv.Atoi(holder)
	if err != nil || pid <= 0 {
		return "unknown", true
	}
	return holder, !errors.Is(unix.Kill(pid, 0), syscall.ESRCH)
}
