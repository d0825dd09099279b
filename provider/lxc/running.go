package lxc

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// runningInit finds the first process of a running container in its cgroup, and
// whether it is frozen, in a tenth of the time that lxc-info takes. When it
// finds none that means nothing: the container may be about to start or to stop,
// or have its cgroup elsewhere, and lxc-info is to be asked.
func (s store) runningInit(id string) (pid int, frozen, found bool) {
	dirs, err := s.cgroups(id, cgroup.Payload(id))
	if err != nil {
		return 0, false, false
	}
	for _, dir := range dirs {
		frozen = frozen || cgroup.IsFrozen(dir)
		if pid != 0 {
			continue
		}
		for _, p := range cgroup.PIDs(dir) {
			if isInit(p) {
				pid = p
				break
			}
		}
	}
	return pid, frozen, pid != 0
}

// isInit reports whether a process is the first one of the pid namespace below
// ours: NSpid lists its number in ours and in each below (proc_pid_status(5)).
// As long as it still is LXC, setting the container up, it does not count.
func isInit(pid int) bool {
	numbers := strings.Fields(statusField(pid, "NSpid"))
	return len(numbers) == 2 && numbers[1] == "1" && statusField(pid, "Name") != "lxc-start"
}

// haltSignal is what makes systemd halt: SIGRTMIN+3 (systemd(1)), where SIGRTMIN
// is 34 (signal(7)).
const haltSignal = 37

// handlerTimeout bounds the wait for an init that may never take the signal.
const handlerTimeout = 5 * time.Second

// awaitHandler waits until a box's init takes the signal to halt. The kernel
// drops those that the first process of a pid namespace has no handler for
// (pid_namespaces(7)), so a box that has only just begun to boot would not halt.
func awaitHandler(ctx context.Context, pid int) {
	ctx, cancel := context.WithTimeout(ctx, handlerTimeout)
	defer cancel()
	for !catches(pid, haltSignal) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// catches reports whether a process takes a signal, by a handler or, as systemd
// does, blocked to be read from a file (signalfd(2)): SigCgt and SigBlk in
// proc_pid_status(5). It does also when these cannot be read any more.
func catches(pid, signal int) bool {
	for _, field := range []string{"SigCgt", "SigBlk"} {
		mask, err := strconv.ParseUint(statusField(pid, field), 16, 64)
		if err != nil || mask>>(signal-1)&1 == 1 {
			return true
		}
	}
	return false
}

// statusField returns a field of /proc/PID/status, empty when there is none.
func statusField(pid int, name string) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return ""
	}
	_, rest, _ := bytes.Cut(append([]byte("\n"), b...), []byte("\n"+name+":"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return strings.TrimSpace(string(line))
}
