package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// box is the folder of one box:
//
//	box.json    the record; written last, so that it tells a made box from a half made one
//	home/       the home of the login user
//	bin/        programs that come first in PATH
//	lock        locked (flock(2)) by the daemon as long as it lives
//	daemon.log
type box struct{ dir string }

// record is the content of box.json.
type record struct {
	Addr    string
	PID     int // of the daemon; says nothing unless the lock is held
	Started time.Time
}

var errRunning = errors.New("the box is running")

func openBox(id string) box { return box{filepath.Join(provider.DataDir(), "boxes", id)} }

func (b box) path(name string) string { return filepath.Join(b.dir, name) }

func (b box) exists() bool { return isThere(b.dir) }
func (b box) made() bool   { return isThere(b.path("box.json")) }

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// reset makes the folder anew and empty.
func (b box) reset() error {
	if err := os.RemoveAll(b.dir); err != nil {
		return err
	}
	return os.MkdirAll(b.path("home"), 0o755)
}

// make completes the folder. The address is chosen once, so that it stays the
// same from start to start.
func (b box) make() error {
	if err := os.Mkdir(b.path("bin"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(b.path("lock"), nil, 0o600); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	return b.write(record{Addr: ln.Addr().String()})
}

func (b box) read() (r record, err error) {
	text, err := os.ReadFile(b.path("box.json"))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", b.path("box.json"), err)
	}
	return r, nil
}

func (b box) write(r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.path("box.json.new"), text, 0o600); err != nil {
		return err
	}
	return os.Rename(b.path("box.json.new"), b.path("box.json"))
}

// tryLock takes the lock of a stopped box. It returns errRunning while the
// daemon holds it: unlike a number in a file, a lock cannot outlive its holder.
func (b box) tryLock() (*os.File, error) {
	switch {
	case !b.exists():
		return nil, provider.ErrNotFound
	case !b.made():
		return nil, errors.New("an earlier create was interrupted; create the box again")
	}
	f, err := os.OpenFile(b.path("lock"), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errRunning
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}
