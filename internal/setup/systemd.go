package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// ownFile is a file that is setup's, whole.
type ownFile struct {
	h    *host
	name string
	text string
	// then is run when it has been written or removed; nil: nothing.
	then []string
}

func (f ownFile) missing(why string) ([]change, error) {
	b, err := os.ReadFile(f.h.path(f.name))
	if err == nil && string(b) == f.text {
		return nil, nil
	}
	if err == nil && !f.h.done.Files[f.name] {
		return nil, fmt.Errorf("%s is there and not setup's: look at it, and move it away", f.name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return []change{{fmt.Sprintf("write %s: %s", f.name, why), func(ctx context.Context) error {
		if err := f.h.done.wrote(f.name); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(f.h.path(f.name)), 0o755); err != nil {
			return err
		}
		if err := renameio.WriteFile(f.h.path(f.name), []byte(f.text), 0o644); err != nil {
			return err
		}
		if err := f.finish(ctx); err != nil {
			return errors.Join(err, f.h.removeOwn(f.name)) // so that the next setup does both again
		}
		return nil
	}}}, nil
}

func (f ownFile) undo() ([]change, error) {
	if !f.h.done.Files[f.name] || !f.h.done.last(f.h.user.name) {
		return nil, nil
	}
	return []change{{"remove " + f.name, func(ctx context.Context) error {
		if err := f.h.removeOwn(f.name); err != nil {
			return err
		}
		if dir := filepath.Dir(f.name); strings.HasSuffix(dir, ".service.d") {
			_ = os.Remove(f.h.path(dir)) // others may have files in it
		}
		return f.finish(ctx)
	}}}, nil
}

func (f ownFile) finish(ctx context.Context) error {
	if f.then == nil {
		return nil
	}
	return f.h.run(ctx, f.then...)
}

var reloadSystemd = []string{"systemctl", "daemon-reload"}

// delegation lets users' own systemd hand on all controllers that limits need; by
// default those for CPU sets and disks stay with the system's.
type delegation struct{ h *host }

func (d delegation) file() ownFile {
	return ownFile{d.h, "/etc/systemd/system/user@.service.d/50-berth.conf",
		"# Written by berth setup; berth setup --undo removes it.\n[Service]\nDelegate=cpu cpuset io memory pids\n", reloadSystemd}
}

func (d delegation) missing() ([]change, error) {
	if !d.h.booted {
		return nil, nil
	}
	return d.file().missing("boxes' limits on CPU sets and disks are handed on to users, from their next login on")
}

func (d delegation) undo() ([]change, error) { return d.file().undo() }

// delegated says what to do when the user's systemd began before it was to hand
// all controllers on: it learns of that when it begins.
func (h *host) delegated() []string {
	id := strconv.Itoa(h.user.uid)
	began, err := os.Stat(h.path("/run/user/" + id + "/systemd/private"))
	if err != nil {
		return nil // it does not run
	}
	file, err := os.Stat(h.path(delegation{h}.file().name))
	if err != nil || file.ModTime().Before(began.ModTime()) {
		return nil
	}
	return []string{"Limits on CPU sets and disks hold once the user's systemd has begun anew: reboot, or, while nothing of " +
		h.user.name + " runs: sudo systemctl restart user@" + id}
}

// linger keeps the user's systemd, and with it the boxes, when nobody is logged in.
type linger struct{ h *host }

func (l linger) missing() ([]change, error) {
	if !l.h.booted {
		return nil, nil
	}
	if _, err := os.Stat(l.mark()); err == nil {
		return nil, nil
	}
	return []change{{fmt.Sprintf("keep the boxes of %s running after the logout (loginctl enable-linger)", l.h.user.name), func(ctx context.Context) error {
		l.h.done.of(l.h.user.name).Linger = true
		if err := l.h.done.save(); err != nil {
			return err
		}
		return l.h.run(ctx, "loginctl", "enable-linger", l.h.user.name)
	}}}, nil
}

func (l linger) undo() ([]change, error) {
	if u := l.h.done.Users[l.h.user.name]; u == nil || !u.Linger {
		return nil, nil
	}
	return []change{{"end what runs of " + l.h.user.name + " at the logout (loginctl disable-linger)", func(ctx context.Context) error {
		if err := l.disable(ctx); err != nil {
			return err
		}
		l.h.done.of(l.h.user.name).Linger = false
		return l.h.done.save()
	}}}, nil
}

// mark is the file by which logind knows of it.
func (l linger) mark() string { return l.h.path("/var/lib/systemd/linger/" + l.h.user.name) }

func (l linger) disable(ctx context.Context) error {
	if !l.h.user.gone {
		return l.h.run(ctx, "loginctl", "disable-linger", l.h.user.name)
	}
	// loginctl knows no such user, and nothing of that user's runs.
	if err := os.Remove(l.mark()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
