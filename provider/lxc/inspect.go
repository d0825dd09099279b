package lxc

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// states translates LXC's words. Those not here are moments of a change.
var states = map[string]provider.State{
	"STOPPED": provider.Stopped,
	"RUNNING": provider.Running,
	"FROZEN":  provider.Frozen,
	"THAWED":  provider.Running,
}

// Inspect tells how the box is.
func (p *lxcProvider) Inspect(ctx context.Context, id string) (provider.Box, error) {
	r, err := p.store.load(id)
	if err != nil {
		return provider.Box{}, err
	}
	b := provider.Box{ID: id, State: provider.Unknown}
	if r.Addr.IsValid() {
		b.SSHAddr = net.JoinHostPort(r.Addr.String(), "22")
	}
	for _, n := range r.NICs {
		b.Networks = append(b.Networks, provider.Network{Name: n.Name, IP: n.IP.String()})
	}
	if !r.Ready {
		b.State = provider.Stopped
		return b, nil
	}
	state, pid, err := p.tools.info(ctx, id)
	if err != nil {
		return b, err
	}
	if s, ok := states[state]; ok {
		b.State = s
	}
	if b.State != provider.Running && b.State != provider.Frozen || pid == 0 {
		return b, nil
	}
	b.Started = processStart(pid)
	box, err := cgroup.Open(id, pid)
	if errors.Is(err, cgroup.ErrEnded) { // just now
		return b, nil
	}
	if err != nil {
		return b, err
	}
	device, _ := cgroup.DiskOf(p.store.root) // none: then no I/O limit is set either
	b.Limits, b.Usage = box.Limits(device), box.Usage()
	b.Limits.Disk, err = imageSize(p.store.file(id, "disk"))
	return b, err
}

// Logs returns the box's console and LXC's own log.
func (p *lxcProvider) Logs(ctx context.Context, id string) ([]provider.Log, error) {
	if _, err := p.store.load(id); err != nil {
		return nil, err
	}
	var logs []provider.Log
	for _, l := range []struct{ name, file string }{{"console", "console.log"}, {"lxc", "lxc.log"}} {
		path := p.store.file(id, l.file)
		logs = append(logs, provider.Log{Name: l.name, Path: path, Tail: tail(path)})
	}
	return logs, ctx.Err()
}

// processStart returns when a process began; zero when that cannot be read. The
// kernel counts from the boot in units of 1/100 s (proc_pid_stat(5), field 22).
func processStart(pid int) time.Time {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return time.Time{}
	}
	// The second field is a name in parentheses that may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	var now unix.Timespec
	if len(fields) < 20 || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return time.Time{}
	}
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return time.Time{}
	}
	age := time.Duration(now.Nano()) - time.Duration(ticks)*10*time.Millisecond
	return time.Now().Add(-age).Truncate(time.Second)
}
