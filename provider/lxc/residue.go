package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// settleTimeout bounds the wait for the kernel to let go of a stopped box.
const settleTimeout = 10 * time.Second

// patience is how long a monitor is given to end by itself.
const patience = 100 * time.Millisecond

// settle makes sure that a stopped box has no process, cgroup or link left. The
// monitor removes most itself, a moment after it says STOPPED; one that was
// killed leaves all behind.
func (p *lxcProvider) settle(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); ; {
		dirs, err := boxCgroups(id)
		if err != nil {
			return err
		}
		if clearCgroups(dirs, time.Since(begin) > patience) {
			return removeLink(id)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("its processes do not end: see %s", strings.Join(dirs, ", "))
		case <-tick.C:
		}
	}
}

// boxCgroups returns the cgroups that are still there.
func boxCgroups(id string) ([]string, error) {
	var all []string
	for _, name := range []string{payloadCgroup(id), monitorCgroup(id), pivotCgroup(id)} {
		dirs, err := findCgroups(name)
		if err != nil {
			return nil, err
		}
		all = append(all, dirs...)
	}
	return all, nil
}

// clearCgroups removes the cgroups, once nothing is in any of them, and reports
// whether all are gone. With kill set it ends what is in them.
func clearCgroups(dirs []string, kill bool) bool {
	empty := true
	for _, d := range dirs {
		for _, pid := range cgroupPIDs(d) {
			empty = false
			if kill {
				_ = unix.Kill(pid, unix.SIGKILL) // it may be gone by now
			}
		}
	}
	for _, d := range dirs {
		if empty && removeCgroup(d) != nil {
			empty = false
		}
	}
	return empty
}

// removeLink removes the host's end of the box's veth pair. The kernel does so
// when the box's network namespace goes, which can be a moment later than the
// box's last process.
func removeLink(id string) error {
	link, err := netlink.LinkByName(linkName(id))
	if isLinkNotFound(err) {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil && !isLinkNotFound(err) && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove link %s: %w", linkName(id), err)
	}
	return nil
}

// sweep removes the files of boxes that are gone. The store's lock must be held.
func (s store) sweep() error {
	leftovers, err := filepath.Glob(filepath.Join(s.boxes(), ".gone-*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range leftovers {
		if err := os.RemoveAll(dir); err != nil {
			errs = append(errs, fmt.Errorf("remove the files of a destroyed box: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Leftovers lists what a box still has on the host, by kind, for tests and for
// people who want proof. An empty list means that nothing is left.
func Leftovers(dataDir, id string) ([]string, error) {
	s := store{root: dataDir}
	var found []string
	add := func(kind, what string) { found = append(found, kind+" "+what) }
	dirs, err := boxCgroups(id)
	if err != nil {
		return nil, err
	}
	for _, d := range dirs {
		add("cgroup", d)
		for _, pid := range cgroupPIDs(d) {
			add("process", strconv.Itoa(pid))
		}
	}
	if _, err := netlink.LinkByName(linkName(id)); err == nil {
		add("link", linkName(id))
	}
	all, err := mounts()
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if strings.Contains(m.point, id) {
			add("mount", m.point)
		}
	}
	if _, err := os.Lstat(s.box(id)); err == nil {
		add("files", s.box(id))
	}
	gone, _ := filepath.Glob(filepath.Join(s.boxes(), ".gone-*"))
	for _, g := range gone {
		add("files", g)
	}
	if left, err := s.records(); err == nil && len(left) == 0 {
		if n, known, _ := s.loadNetwork(); known {
			add("network", n.Bridge)
		}
	}
	return found, nil
}
