// Package setup prepares a host, as root and once, for a user who then makes boxes
// without root: `berth setup`. Each concern has a file, with what it looks at, what
// it would change, and how that is taken back. What can go wrong with a prepared
// host is not looked for here.
package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc"
	"github.com/berth-dev/berth/provider/lxc/account"
)

// Options say for whom and how.
type Options struct {
	User   string    // who makes boxes
	DryRun bool      // say what would be changed and change nothing
	Out    io.Writer // takes a line for each change, before it is made
}

// change is one thing that is to be different on the host.
type change struct {
	text string
	make func(ctx context.Context) error
}

// step is one concern.
type step interface {
	// missing returns the changes that are to be made; none when all is well.
	missing() ([]change, error)
	// undo returns what takes back the changes that setup made, and no others.
	undo() ([]change, error)
}

// host is the machine that is set up, for one of its users.
type host struct {
	root string // "" but in tests
	user person
	done *journal
	run  func(ctx context.Context, argv ...string) error
	// program returns where this program is, if root may be told to run it.
	program func() (string, error)
	// booted says that systemd is the host's init.
	booted bool
}

func (h *host) path(p string) string { return h.root + p }

// Run prepares the host for a user. What is prepared already is left alone.
func Run(ctx context.Context, o Options) error {
	unlock, err := begin()
	if err != nil {
		return err
	}
	defer unlock()
	p, err := find(o.User)
	if err != nil {
		return fmt.Errorf("prepare the host: %w", err)
	}
	h, err := open(p)
	if err != nil {
		return err
	}
	if err := apply(ctx, h, o, steps(h), step.missing, "%s is prepared already: nothing was changed\n"); err != nil {
		return err
	}
	for _, note := range h.notes() {
		fmt.Fprintln(o.Out, note)
	}
	return nil
}

// notes are what setup cannot do for the user.
func (h *host) notes() []string {
	if !h.booted {
		return []string{"This host has no systemd: after every boot its init must run, as root: berth setup network"}
	}
	return h.delegated()
}

// Undo takes back what Run has changed for a user and, with the last user, what it
// has changed for all.
func Undo(ctx context.Context, o Options) error {
	unlock, err := begin()
	if err != nil {
		return err
	}
	defer unlock()
	p, unknown := find(o.User)
	if unknown != nil && !errors.Is(unknown, account.ErrUnknown) {
		return unknown
	}
	h, err := open(p)
	if err != nil {
		return err
	}
	if unknown != nil {
		known := false
		if h.user, known, err = h.former(o.User); err != nil {
			return err
		}
		if !known {
			return fmt.Errorf("take back what setup has changed: %w", unknown)
		}
	}
	if err := h.idle(); err != nil {
		return err
	}
	all := steps(h)
	slices.Reverse(all)
	if err := apply(ctx, h, o, all, step.undo, "nothing of setup's is left for %s\n"); err != nil || o.DryRun {
		return err
	}
	return h.done.remove(h.user.name)
}

// begin is the beginning of all that changes the host: what is written there is
// for everybody to read, whatever root's umask is.
func begin() (unlock func(), err error) {
	unix.Umask(0o022)
	return lock()
}

// lock keeps two setups from changing the same files. It is in /run, where it is
// nobody's to look at.
func lock() (unlock func(), err error) {
	f, err := os.OpenFile("/run/berth-setup.lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock setup: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock setup: %w", err)
	}
	return func() { f.Close() }, nil
}

// steps are all concerns, in the order in which one may need another.
func steps(h *host) []step {
	return []step{
		packages{h}, subIDs{h}, kernel{h}, networks{h}, userNet{h}, cgroups{h}, delegation{h}, linger{h}, appArmor{h}, unit{h},
	}
}

// apply makes the changes that each step asks for, once the ones before are made.
func apply(ctx context.Context, h *host, o Options, all []step, ask func(step) ([]change, error), nothing string) error {
	made := 0
	for _, s := range all {
		changes, err := ask(s)
		if err != nil {
			return err
		}
		for _, c := range changes {
			made++
			if o.DryRun {
				fmt.Fprintln(o.Out, "would", c.text)
				continue
			}
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("stopped, before this was done: %s: %w", c.text, err)
			}
			fmt.Fprintln(o.Out, c.text)
			if err := c.make(ctx); err != nil {
				return fmt.Errorf("%s: %w", c.text, err)
			}
		}
	}
	if made == 0 {
		fmt.Fprintf(o.Out, nothing, h.user.name)
	}
	return nil
}

// open looks at what setup has done so far.
func open(p person) (*host, error) {
	_, err := os.Stat("/run/systemd/system") // sd_booted(3)
	h := &host{user: p, booted: err == nil, run: runCommand, program: ownProgram}
	h.done, err = openJournal(h.path("/etc/berth/setup.json"))
	return h, err
}

// idle refuses to take the ground from under running boxes.
func (h *host) idle() error {
	u, ok, err := h.network()
	if err != nil || !ok {
		return err
	}
	used, err := u.InUse()
	if err != nil {
		return err
	}
	if len(used) > 0 {
		return fmt.Errorf("boxes of %s run (they are on %s): halt or destroy them first", h.user.name, strings.Join(used, ", "))
	}
	return nil
}

// network returns the user's network, if it has one. One of an account that had the
// same number is not it.
func (h *host) network() (u lxc.UserNetwork, ok bool, err error) {
	all, err := lxc.UserNetworks(h.path(lxc.UserNetworksFile))
	i := slices.IndexFunc(all, func(u lxc.UserNetwork) bool { return u.UID == h.user.uid && u.User == h.user.name })
	if i < 0 {
		return u, false, err
	}
	return all[i], true, nil
}

// runCommand runs a program of the system's, with what it complains about in the
// error. It is not killed when ctx ends: a package manager would leave packages half
// installed. A Ctrl-C reaches it from the terminal, and it ends as it sees fit.
func runCommand(ctx context.Context, argv ...string) error {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// found reports whether a program is there, also where only root's $PATH leads.
func found(program string) bool {
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if _, err := os.Stat(filepath.Join(dir, program)); err == nil {
			return true
		}
	}
	return false
}
