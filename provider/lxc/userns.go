package lxc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// idRange is how many ids a box has: 0 to 65535, all that a Debian system uses.
const idRange = 65536

// boxIDs maps ids 0 to 65535 to idBase and up on the host.
func boxIDs(idBase uint32) []syscall.SysProcIDMap {
	return []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(idBase), Size: idRange}}
}

// userNamespace returns a user namespace with these ids. A namespace needs a
// process to be made; it lives as long as the returned file or a mount that uses
// it (user_namespaces(7)).
func userNamespace(ctx context.Context, uids, gids []syscall.SysProcIDMap) (*os.File, error) {
	// cat ends when its input does, also when this process is killed.
	cmd := exec.CommandContext(ctx, "cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: uids,
		GidMappings: gids,
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("make a user namespace for ids from %d: %w", uids[0].HostID, err)
	}
	ns, err := os.Open("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/ns/user")
	stdin.Close()
	_ = cmd.Wait() // cat has nothing to say
	if err != nil {
		return nil, fmt.Errorf("open the user namespace: %w", err)
	}
	return ns, nil
}
