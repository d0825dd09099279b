package lxc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/cgroup"
	"github.com/berth-dev/berth/provider/lxc/firewall"
	"github.com/berth-dev/berth/provider/lxc/mountinfo"
)

// settleTimeout bounds the wait for the kernel to let go of a stopped box.
const settleTimeout = 10 * time.Second

// settle makes sure that a stopped box has no process, cgroup or link left. The
// monitor removes most itself, a moment after it says STOPPED; one that was
// killed leaves all behind.
func (p *lxcProvider) settle(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); ; {
		dirs, err := p.store.boxCgroups(id)
		if err != nil {
			return err
		}
		thawAll(dirs) // else nothing ends them
		if clearCgroups(dirs, p.killer(time.Since(begin))) {
			return removeLinks(id)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("its processes do not end: see %s", strings.Join(dirs, ", "))
		case <-tick.C:
		}
	}
}

// cgroups returns those of a box's cgroups that are there, of the names given. It
// needs no process of the box: root's box has them at the top or below this
// process's own, and where a user's has them, its last start has written down.
func (s store) cgroups(id string, names ...string) ([]string, error) {
	above, err := s.above(id)
	if err != nil {
		return nil, err
	}
	return cgroup.Find(names, above)
}

// above returns the cgroup above a user's box's own, as in /proc/PID/cgroup; empty
// for root's boxes and those that have never started.
func (s store) above(id string) (string, error) {
	b, err := os.ReadFile(s.file(id, "cgroup"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read where the cgroups of box %s are: %w", id, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// boxCgroups returns those of all a box's cgroups that are still there. The scope of
// a user's box is the last: systemd removes it, but not if something is below it at
// that moment.
func (s store) boxCgroups(id string) ([]string, error) {
	dirs, err := s.cgroups(id, cgroup.Payload(id), cgroup.Monitor(id), cgroup.Pivot(id))
	if err != nil {
		return nil, err
	}
	above, err := s.above(id)
	if err != nil || !strings.HasPrefix(path.Base(above), scopePrefix(id)) {
		return dirs, err
	}
	scope, err := cgroup.Find([]string{path.Base(above)}, path.Dir(above))
	return append(dirs, scope...), err
}

// clearCgroups removes the cgroups, once nothing is in any of them, and reports
// whether all are gone. kill, if there is one, ends what is in them.
func clearCgroups(dirs []string, kill func(pid int)) bool {
	empty := true
	for _, d := range dirs {
		for _, pid := range cgroup.PIDs(d) {
			empty = false
			if kill != nil {
				kill(pid)
			}
		}
	}
	for _, d := range dirs {
		if empty && cgroup.Remove(d) != nil {
			empty = false
		}
	}
	return empty
}

// linkNames are the names that the host's ends of a box's veth pairs can have.
func linkNames(id string) []string {
	names := []string{linkName(id)}
	for i := range maxNICs {
		names = append(names, privateLinkName(id, i))
	}
	return names
}

// findLinks returns those of a box's links that are there.
func findLinks(id string) ([]netlink.Link, error) {
	var found []netlink.Link
	for _, name := range linkNames(id) {
		link, err := netlink.LinkByName(name)
		if isLinkNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find link %s: %w", name, err)
		}
		found = append(found, link)
	}
	return found, nil
}

// removeLinks removes the host's ends of the box's veth pairs. The kernel does so
// when the box's network namespace goes, which can be a moment later than the
// box's last process.
func removeLinks(id string) error {
	links, err := findLinks(id)
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range links {
		if err := netlink.LinkDel(l); err != nil && !isLinkNotFound(err) && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, fmt.Errorf("remove link %s: %w", l.Attrs().Name, err))
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
	dirs, err := s.boxCgroups(id)
	if err != nil {
		return nil, err
	}
	for _, d := range dirs {
		add("cgroup", d)
		for _, pid := range cgroup.PIDs(d) {
			add("process", strconv.Itoa(pid))
		}
	}
	links, err := findLinks(id)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		add("link", l.Attrs().Name)
	}
	all, err := mountinfo.All()
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if strings.Contains(m.Point, id) {
			add("mount", m.Point)
		}
	}
	devices, err := loops("/" + id + "/")
	if err != nil {
		return nil, err
	}
	for name := range devices {
		add("loop device", name)
	}
	if _, err := os.Lstat(s.box(id)); err == nil {
		add("files", s.box(id))
	}
	gone, _ := filepath.Glob(filepath.Join(s.boxes(), goneName+"*"))
	for _, g := range gone {
		add("files", g)
	}
	shared, err := s.sharedLeftovers()
	return append(found, shared...), err
}

// sharedLeftovers lists what the boxes of a data folder share and none of them
// uses: bridges, firewall tables, and rules in the tables of others.
func (s store) sharedLeftovers() ([]string, error) {
	var found []string
	records, err := s.records()
	if err != nil {
		return nil, err
	}
	if n, known, _ := s.loadNetwork(); known && len(records) == 0 {
		found = append(found, "network "+n.Bridge)
	}
	links, err := dump(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list network links: %w", err)
	}
	bridges := map[string]bool{}
	for _, l := range links {
		name := l.Attrs().Name
		bridges[name] = true
		root, private, ours := ownerOf(l.Attrs().Alias)
		if !ours || root != s.root {
			continue
		}
		if len(records) == 0 || private != "" && len(s.running(name)) == 0 {
			found = append(found, "bridge "+name)
		}
	}
	orphans, err := firewall.Orphaned(bridges)
	return append(found, orphans...), err
}
