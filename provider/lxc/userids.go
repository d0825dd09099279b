package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/berth-dev/berth/provider/lxc/account"
	"github.com/berth-dev/berth/provider/lxc/hostcheck"
	"github.com/berth-dev/berth/provider/lxc/subid"
)

// keptID is the id in a user's boxes that is the user itself on the host: the
// login user's, so that a folder of the host that the box sees has one owner on
// both sides. The kernel refuses users the mounts with mapped ids that root's
// boxes have.
const keptID = loginID

// userIDs are the ids on the host that a user's boxes have.
type userIDs struct {
	uid, gid       uint32 // the user
	subUID, subGID uint32 // the first of its ranges (subuid(5))
}

// neededIDs is how long a range must be: all of a box's ids but the kept one.
const neededIDs = idRange - 1

// fixSetup is the one command that prepares the host.
const fixSetup = "\nPrepare the host for your boxes, once: sudo berth setup"

// ownIDs finds the ids of the user that runs this.
func ownIDs() (userIDs, error) {
	ids := userIDs{uid: uint32(os.Getuid()), gid: uint32(os.Getgid())}
	name := ""
	if u, err := account.ByID(os.Getuid()); err == nil {
		name = u.Name
	}
	var err error
	if ids.subUID, err = subRange(subid.Users, name, ids.uid); err != nil {
		return ids, err
	}
	ids.subGID, err = subRange(subid.Groups, name, ids.uid)
	return ids, err
}

// subRange returns the first id of the user's first range that is long enough.
func subRange(path, name string, uid uint32) (uint32, error) {
	all, err := subid.Load(path)
	if err != nil {
		return 0, fmt.Errorf("read which ids your boxes may have: %w%s", err, fixSetup)
	}
	for _, r := range subid.Of(all, name, int(uid)) {
		if r.Count >= neededIDs {
			return uint32(r.First), nil
		}
	}
	return 0, fmt.Errorf("%s gives user %s no range of %d ids, which boxes need%s", path, name, neededIDs, fixSetup)
}

// UserRange returns the first of the ids that a file like /etc/subuid gives a user
// for boxes.
func UserRange(path, name string, uid int) (first uint32, err error) {
	return subRange(path, name, uint32(uid))
}

// keepMap maps a box's ids to the host's: all to a range, but one to the user.
func keepMap(sub, kept uint32) []string {
	return []string{
		"0", format(sub), format(keptID),
		format(keptID), format(kept), "1",
		format(keptID + 1), format(sub + keptID), format(idRange - keptID - 1),
	}
}

func format(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

// keptSpans are the parts of that map, as the maps of namespaces below it must
// have them: a mapping may not go across two of the one above
// (user_namespaces(7)).
var keptSpans = [][2]uint32{{0, keptID}, {keptID, 1}, {keptID + 1, idRange - keptID - 1}}

// inUserNamespace returns a command that runs as root in a new user namespace
// with these ids, with all rights there and the user's own outside. done must be
// called when the command has ended, or could not be started.
func inUserNamespace(ctx context.Context, ids userIDs, argv ...string) (cmd *exec.Cmd, done func(), err error) {
	if _, restricted := hostcheck.Restricted(hostcheck.System{}); restricted {
		return nil, nil, errors.New("make a user namespace: AppArmor gives users rights there only by way of programs with a profile that says so, " +
			"and this berth has none (sysctl kernel.apparmor_restrict_unprivileged_userns)" + fixSetup)
	}
	// A namespace needs a process to be made. cat ends when its input does, also
	// when this process is killed.
	holder := exec.Command("cat")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	stdin, err := holder.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := holder.Start(); err != nil {
		return nil, nil, fmt.Errorf("make a user namespace: %w%s", err, namespaceHint(err))
	}
	done = func() { stdin.Close(); _ = holder.Wait() } // cat has nothing to say
	pid := strconv.Itoa(holder.Process.Pid)
	for _, m := range []struct {
		tool string
		ids  []string
	}{{"newuidmap", keepMap(ids.subUID, ids.uid)}, {"newgidmap", keepMap(ids.subGID, ids.gid)}} {
		if err := runTool(exec.CommandContext(ctx, m.tool, append([]string{pid}, m.ids...)...)); err != nil {
			done()
			return nil, nil, explainMapTool(m.tool, err)
		}
	}
	argv = append([]string{"--target", pid, "--user", "--setuid", "0", "--setgid", "0", "--"}, argv...)
	return exec.CommandContext(ctx, "nsenter", argv...), done, nil
}

func namespaceHint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "\nThe host allows too few of them: see sysctl user.max_user_namespaces"
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return "\nThe host forbids them to users: see sysctl kernel.unprivileged_userns_clone" + fixSetup
	}
	return ""
}

func explainMapTool(tool string, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not installed (package uidmap on Debian and Ubuntu, shadow-utils on Fedora)%s", tool, fixSetup)
	}
	return fmt.Errorf("map the ids of your boxes: %w%s", err, fixSetup)
}
