package lxc

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/berth-dev/berth/provider"
)

// logTail is how much of a log goes into messages.
const logTail = 4 << 10

// tail returns the last lines of a file, at most logTail bytes. A box may have
// written anything into it; whoever shows it takes care of the terminal.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return ""
	}
	buf := make([]byte, logTail)
	n, _ := f.ReadAt(buf, max(0, st.Size()-logTail))
	text := string(buf[:n])
	if st.Size() > logTail {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text
}

// lxcError is a line of LXC's log: its own prefix of names, time and place
// before the message.
const lxcError = `(?m)^lxc-start \S+ \S+ ERROR +(.*)$`

// cgroupError is LXC not able to set a limit.
const cgroupError = `[Ff]ailed to set "?([a-z0-9_.]+)"? to "?([^"\n]*)"?`

// configError is LXC not able to read a line of the box's configuration.
const configError = `(?m)ERROR .* at line "(lxc\.[a-z0-9_.]+) = (.*)"$`

// limitArgs names the argument that sets each cgroup file.
var limitArgs = map[string]string{
	"cpu.max": "cpus", "cpu.cfs_quota_us": "cpus", "cpu.cfs_period_us": "cpus",
	"cpu.weight": "cpu_weight", "cpu.shares": "cpu_weight", "cpuset.cpus": "cpuset",
	"memory.max": "memory", "memory.limit_in_bytes": "memory",
	"memory.swap.max": "swap", "memory.memsw.limit_in_bytes": "swap",
	"pids.max": "pids", "io.max": "io", "io.weight": "io.weight", "blkio.bfq.weight": "io.weight",
	"blkio.throttle.read_bps_device": "io.read", "blkio.throttle.write_bps_device": "io.write",
	"blkio.throttle.read_iops_device": "io.read_iops", "blkio.throttle.write_iops_device": "io.write_iops",
}

// explainStart finds the cause of a failed start in LXC's log: its first error,
// since the later ones are what that led to.
func explainStart(err error, s store, id string) error {
	var blamed *provider.ArgError
	if errors.As(err, &blamed) { // LXC has not begun
		return err
	}
	path := s.file(id, "lxc.log")
	log := tail(path)
	cgroupError, lxcError := regexp.MustCompile(cgroupError), regexp.MustCompile(lxcError)
	for _, m := range cgroupError.FindAllStringSubmatch(log, -1) {
		if arg := limitArgs[m[1]]; arg != "" {
			return &provider.ArgError{Arg: "box.resources." + arg,
				Err: fmt.Errorf("the kernel refuses %s = %s on this host", m[1], m[2])}
		}
	}
	// Of what an Envfile can give. Its other values are Berth's, and good.
	if m := regexp.MustCompile(configError).FindStringSubmatch(log); m != nil && checkRaw(m[1], m[2]) == nil {
		return &provider.ArgError{Arg: "raw." + m[1], Err: fmt.Errorf("LXC does not take the value %q", m[2])}
	}
	first := ""
	if m := lxcError.FindStringSubmatch(log); m != nil {
		first = "LXC says: " + m[1]
	}
	parts := []string{err.Error(), first, "The whole log is in " + path + " and the console in " + s.file(id, "console.log")}
	if i := strings.IndexByte(parts[0], '\n'); i >= 0 && first != "" {
		parts[0] = parts[0][:i] // the tool only says that the log knows more
	}
	text := strings.Join(parts, "\n")
	return errors.New(strings.ReplaceAll(text, "\n\n", "\n"))
}
