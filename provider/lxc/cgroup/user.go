package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/mountinfo"
)

// UserName is the name of the cgroups that setup makes for a user on hosts
// without systemd, one in each hierarchy.
func UserName(uid int) string { return "berth.user." + strconv.Itoa(uid) }

// UserDirs returns those that boxes are to use: that there are, and that the user
// may enter. In v2 a process moves only between cgroups below one that is its
// user's.
func UserDirs(uid int) []string {
	all, err := mountinfo.All()
	if err != nil || !limitsInV1(all) {
		return nil
	}
	return slices.DeleteFunc(userDirs(all, uid), func(dir string) bool {
		return unix.Access(filepath.Join(dir, "cgroup.procs"), unix.W_OK) != nil
	})
}

// MissingUserDirs returns the v1 cgroups that a user needs on this host and
// does not have. Where controllers are in v2, systemd hands them on.
func MissingUserDirs(uid int) ([]string, error) {
	all, err := mountinfo.All()
	if err != nil || !limitsInV1(all) {
		return nil, err
	}
	return slices.DeleteFunc(userDirs(all, uid), func(dir string) bool {
		var st unix.Stat_t
		return unix.Stat(filepath.Join(dir, "cgroup.procs"), &st) == nil && int(st.Uid) == uid
	}), nil
}

// limitsInV1 reports whether boxes have their limits in v1. A single hierarchy of
// v1 on a host with v2, net_cls for a VPN say, or systemd's own, does not make it so.
func limitsInV1(all []mountinfo.Mount) bool {
	return slices.ContainsFunc(all, func(m mountinfo.Mount) bool {
		return m.FSType == "cgroup" && slices.ContainsFunc([]string{"cpu", "memory", "pids"}, func(controller string) bool {
			return slices.Contains(m.Options, controller)
		})
	})
}

// userDirs are a user's cgroups in all hierarchies of v1, there or not: LXC wants
// one in each.
func userDirs(all []mountinfo.Mount, uid int) []string {
	var dirs []string
	for _, m := range all {
		if m.FSType == "cgroup" {
			dirs = append(dirs, filepath.Join(m.Point, UserName(uid)))
		}
	}
	return dirs
}

// MakeUserDir makes one of them the user's.
func MakeUserDir(dir string, uid, gid int) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the cgroup of user %d: %w", uid, err)
	}
	// An empty list is that of a new cpuset, in which nothing can run.
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
		if err != nil {
			continue // of another controller
		}
		if err := os.WriteFile(filepath.Join(dir, file), b, 0); err != nil {
			return fmt.Errorf("make the cgroup of user %d: %w", uid, err)
		}
	}
	// All that runs in it would weigh as much as one process outside.
	shares := filepath.Join(dir, "cpu.shares")
	if _, err := os.Stat(shares); err == nil {
		if err := os.WriteFile(shares, []byte(strconv.Itoa(1024*runtime.NumCPU())), 0); err != nil {
			return fmt.Errorf("make the cgroup of user %d: %w", uid, err)
		}
	}
	for _, name := range []string{"", "cgroup.procs", "tasks"} {
		if err := os.Chown(filepath.Join(dir, name), uid, gid); err != nil {
			return fmt.Errorf("give the cgroup to user %d: %w", uid, err)
		}
	}
	return nil
}

// HasUserDirs reports whether there is one, also where boxes would not use it.
func HasUserDirs(uid int) (bool, error) {
	all, err := mountinfo.All()
	return slices.ContainsFunc(userDirs(all, uid), func(dir string) bool {
		_, err := os.Stat(dir)
		return err == nil
	}), err
}

// RemoveUserDirs removes a user's cgroups, those too.
func RemoveUserDirs(uid int) error {
	all, err := mountinfo.All()
	errs := []error{err}
	for _, dir := range userDirs(all, uid) {
		errs = append(errs, Remove(dir))
	}
	return errors.Join(errs...)
}
