package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/berth/internal/testenv"
)

// machine is a fresh machine that a test may do anything to. BERTH_VM_SSH is the
// command that reaches it, "ssh -p 2222 user@host", as a user who may sudo without
// a password. It is given the Debian package and nothing else of this tree.
type machine struct{ ssh []string }

// commandTimeout bounds one command; the machine may be an emulated one, where an
// image takes half an hour.
const commandTimeout = time.Hour

func freshMachine(t *testing.T) machine {
	t.Helper()
	testenv.NeedVM(t)
	return machine{strings.Fields(os.Getenv("BERTH_VM_SSH"))}
}

// feed runs a shell command on the machine and returns all that it writes.
func (m machine) feed(stdin io.Reader, command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.ssh[0], append(m.ssh[1:len(m.ssh):len(m.ssh)], command)...)
	cmd.Stdin = stdin
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("it did not end in %s", commandTimeout)
	}
	return strings.TrimSpace(string(out)), err
}

func (m machine) try(command string) (string, error) { return m.feed(nil, command) }

// run is try for what must go well.
func (m machine) run(t *testing.T, command string) string {
	t.Helper()
	out, err := m.try(command)
	if err != nil {
		t.Fatalf("on the machine: %s\n%v\n%s", command, err, out)
	}
	return out
}

// says runs a command that must write just this.
func (m machine) says(t *testing.T, command, want string) {
	t.Helper()
	if out := m.run(t, command); out != want {
		t.Errorf("on the machine: %s\nwrites %q, want %q", command, out, want)
	}
}

// root runs a shell command as root.
func (m machine) root(command string) (string, error) {
	return m.try("sudo -n sh -c " + quote(command))
}

// step is a part of a test on which all further ones build; its name and time are
// told when it has ended.
func step(t *testing.T, name string, do func(t *testing.T)) {
	t.Helper()
	begin := time.Now()
	ok := t.Run(name, do)
	t.Logf("%s: %s", name, time.Since(begin).Round(100*time.Millisecond))
	if !ok {
		t.Fatalf("%s failed: what builds on it is not tried", name)
	}
}

// builtPackage is what `make deb` has built for machines like this one.
func builtPackage(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("../../bin/berth_*_" + runtime.GOARCH + ".deb")
	if len(found) != 1 {
		t.Fatalf("packages in bin: %v; want one (make deb)", found)
	}
	return found[0]
}

// restart reboots the machine and waits for it. Its boxes must not keep it from
// shutting down: what does not end makes systemd wait for 90 s.
func (m machine) restart(t *testing.T) {
	t.Helper()
	const bootID = "cat /proc/sys/kernel/random/boot_id"
	before := m.run(t, bootID)
	asked := m.run(t, "date +%s")
	_, _ = m.try("sudo -n systemctl reboot") // the connection may end before its answer
	for deadline := time.Now().Add(20 * time.Minute); ; time.Sleep(2 * time.Second) {
		if now, err := m.try(bootID); err == nil && now != before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the machine did not come back from its reboot in 20 minutes")
		}
	}
	// sshd answers before all services have begun; "degraded" is an error of its.
	_, _ = m.try("systemctl is-system-running --wait")
	took := m.run(t, "echo $(($(sed -n 's/^btime //p' /proc/stat) - "+asked+"))") // until its kernel began
	t.Logf("shut down in %s s", took)
	if seconds, err := strconv.Atoi(took); err != nil || seconds > 80 {
		t.Errorf("the machine took %s s to shut down, with boxes running", took)
	}
}

// prepared is all that setup may change on the machine.
func (m machine) prepared(t *testing.T) []string {
	t.Helper()
	out, err := m.root(`for at in /etc/subuid /etc/subgid /etc/berth /etc/lxc /etc/apparmor.d/berth /etc/sysctl.d /etc/modules-load.d \
	/etc/systemd /var/lib/systemd/linger; do find $at ! -type d 2>/dev/null; done | sort | while read -r f; do
	if [ -f "$f" ]; then sha256sum "$f"; else echo "$f"; fi; done
grep . /proc/sys/fs/inotify/* /proc/sys/user/max_user_namespaces /proc/sys/net/ipv4/ip_forward
find /sys/class/net /sys/fs/cgroup /run -maxdepth 1 -name 'berth*' ! -name '*.lock' ! -path /run/berth # goes with the next boot
cat /sys/kernel/security/apparmor/profiles 2>/dev/null | grep berth`)
	if err != nil && out == "" {
		t.Fatalf("look at what setup may change: %v", err)
	}
	return strings.Split(out, "\n")
}

// residue is what boxes have left behind: processes, links, mounts, cgroups, files.
func (m machine) residue(t *testing.T, data string) string {
	t.Helper()
	const look = `ps -eo pid,args | grep -E '[l]xc-start|[l]xc monitor|[b]erth (forwarder|plugin)'
ip -o link | grep -E 'veth|berth[0-9]'
grep -h berth /proc/[0-9]*/mountinfo | sort -u
find /sys/fs/cgroup -name 'berth*' -type d
ls -A %s/boxes`
	var out string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Second) {
		if out, _ = m.root(fmt.Sprintf(look, data)); out == "" { // grep that finds nothing fails
			return ""
		}
	}
	return out
}
