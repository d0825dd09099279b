package setup

import (
	"context"
	_ "embed" // the unit
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// unit makes the networks again at every boot. The package of Berth brings the
// unit along, not enabled; a berth from elsewhere gets one with the same text.
type unit struct{ h *host }

const unitName = "berth-network.service"

// unitText is what the package installs (internal/packaging/nfpm.yaml).
//
//go:embed berth-network.service
var unitText string

// packagedProgram is what the unit runs, where the package puts it.
const packagedProgram = "/usr/bin/berth"

func (u unit) file(program string) ownFile {
	return ownFile{u.h, "/etc/systemd/system/" + unitName,
		"# Written by berth setup; berth setup --undo removes it.\n" +
			strings.Replace(unitText, "="+packagedProgram+" ", "="+program+" ", -1), reloadSystemd}
}

func (u unit) missing() ([]change, error) {
	if !u.h.booted {
		return nil, nil
	}
	var all []change
	if u.packaged() {
		all = u.uncover()
	} else {
		program, err := u.h.program()
		if err != nil {
			return nil, err
		}
		if all, err = u.file(program).missing("the networks come back after a reboot"); err != nil {
			return nil, err
		}
	}
	if _, err := os.Lstat(u.h.path("/etc/systemd/system/multi-user.target.wants/" + unitName)); err == nil {
		return all, nil
	}
	return append(all, change{"enable " + unitName + ": the networks come back after a reboot", func(ctx context.Context) error {
		u.h.done.Enabled = append(u.h.done.Enabled, unitName)
		if err := u.h.done.save(); err != nil {
			return err
		}
		if err := u.h.run(ctx, "systemctl", "enable", unitName); err != nil {
			return err
		}
		// Now too, since only a unit that is active follows nftables.service. It is
		// not waited for: it waits for this setup, which has the lock.
		return u.h.run(ctx, "systemctl", "start", "--no-block", unitName)
	}}), nil
}

// uncover removes the unit that setup wrote before there was a package: it would
// hide the package's for ever, and run a program that may be gone.
func (u unit) uncover() []change {
	own := u.file("")
	if !u.h.done.Files[own.name] {
		return nil
	}
	return []change{{"remove " + own.name + ", which hides that of the package", func(ctx context.Context) error {
		if err := u.h.removeOwn(own.name); err != nil {
			return err
		}
		if err := own.finish(ctx); err != nil {
			return err
		}
		if !slices.Contains(u.h.done.Enabled, unitName) {
			return nil
		}
		// What enabled it was a link to the file that is gone.
		return u.h.run(ctx, "systemctl", "reenable", unitName)
	}}}
}

// packaged reports whether the distribution's package brings the unit.
func (u unit) packaged() bool {
	for _, dir := range []string{"/usr/lib/systemd/system/", "/lib/systemd/system/"} {
		if _, err := os.Stat(u.h.path(dir + unitName)); err == nil {
			return true
		}
	}
	return false
}

func (u unit) undo() ([]change, error) {
	if !u.h.done.last(u.h.user.name) {
		return nil, nil
	}
	var all []change
	if slices.Contains(u.h.done.Enabled, unitName) {
		all = append(all, change{"disable " + unitName, func(ctx context.Context) error {
			if err := u.h.run(ctx, "systemctl", "disable", "--now", unitName); err != nil {
				return err
			}
			u.h.done.Enabled = nil
			return u.h.done.save()
		}})
	}
	file, err := u.file("").undo()
	return append(all, file...), err
}

// ownProgram returns the path of this program, if nobody but root can change it.
func ownProgram() (string, error) {
	program, err := os.Executable()
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return program, onlyRoots(program)
}

// onlyRoots refuses a program that somebody else than root could replace: root
// would run it at every boot.
func onlyRoots(program string) error {
	for at := program; ; at = filepath.Dir(at) {
		st, err := os.Stat(at)
		if err != nil {
			return err
		}
		sys, ok := st.Sys().(*syscall.Stat_t)
		if !ok || sys.Uid != 0 || st.Mode().Perm()&0o022 != 0 {
			return fmt.Errorf("root is to run %s at every boot, and %s can be changed by others: "+
				"install it first (sudo install %[1]s /usr/local/bin/berth) and run: sudo /usr/local/bin/berth setup", program, at)
		}
		if at == "/" {
			return nil
		}
		if !strings.HasPrefix(at, "/") {
			return fmt.Errorf("%s is not an absolute path", program)
		}
	}
}
