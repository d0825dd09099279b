package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/berth-dev/berth/provider/lxc"
)

// packages sees to the programs that boxes need.
type packages struct{ h *host }

// manager installs packages; names says which one has a program.
type manager struct {
	program string
	install []string
	names   map[string]string
}

var managers = []manager{
	{"apt-get", []string{"apt-get", "install", "--yes", "--no-install-recommends"}, map[string]string{
		"lxc-start": "lxc", "newuidmap": "uidmap", "mmdebstrap": "mmdebstrap", "ssh": "openssh-client", "nsenter": "util-linux"}},
	{"dnf", []string{"dnf", "install", "--assumeyes"}, map[string]string{
		"lxc-start": "lxc", "newuidmap": "shadow-utils", "mmdebstrap": "mmdebstrap", "ssh": "openssh-clients", "nsenter": "util-linux"}},
	{"pacman", []string{"pacman", "--sync", "--noconfirm", "--needed"}, map[string]string{
		"lxc-start": "lxc", "newuidmap": "shadow", "mmdebstrap": "mmdebstrap", "ssh": "openssh", "nsenter": "util-linux"}},
	{"zypper", []string{"zypper", "--non-interactive", "install"}, map[string]string{
		"lxc-start": "lxc", "newuidmap": "shadow", "mmdebstrap": "mmdebstrap", "ssh": "openssh-clients", "nsenter": "util-linux-systemd"}},
}

var programs = []string{"lxc-start", "newuidmap", "mmdebstrap", "ssh", "nsenter"}

func (p packages) missing() ([]change, error) {
	var absent []string
	for _, program := range programs {
		if !found(program) {
			absent = append(absent, program)
		}
	}
	if _, err := lxc.UserNIC(); err != nil && !slices.Contains(absent, "lxc-start") {
		absent = append(absent, "lxc-start")
	}
	if len(absent) == 0 {
		return nil, nil
	}
	i := slices.IndexFunc(managers, func(m manager) bool { return found(m.program) })
	if i < 0 {
		return nil, fmt.Errorf("this host lacks %s, and none of the package managers that Berth knows (apt-get, dnf, pacman, zypper): "+
			"install them and run this again", strings.Join(absent, ", "))
	}
	m := managers[i]
	var names []string
	for _, program := range absent {
		names = append(names, m.names[program])
	}
	argv := append(slices.Clone(m.install), names...)
	return []change{{"install packages: " + strings.Join(argv, " "), func(ctx context.Context) error {
		p.h.done.Packages = append(p.h.done.Packages, names...)
		if err := p.h.done.save(); err != nil {
			return err
		}
		err := p.h.run(ctx, argv...)
		if err != nil && ctx.Err() == nil && m.program == "apt-get" { // its lists may be old
			err = errors.Join(p.h.run(ctx, "apt-get", "update"), p.h.run(ctx, argv...))
		}
		return err
	}}}, nil
}

// undo leaves packages: others may have come to need them.
func (p packages) undo() ([]change, error) {
	if len(p.h.done.Packages) == 0 || !p.h.done.last(p.h.user.name) {
		return nil, nil
	}
	text := "leave the packages that setup installed, which others may need by now: " + strings.Join(p.h.done.Packages, " ")
	return []change{{text, func(context.Context) error { return nil }}}, nil
}
