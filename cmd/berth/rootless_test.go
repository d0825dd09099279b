package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// setup runs `berth setup` as root.
func setup(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("berth", append([]string{"setup"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("berth setup %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// prepare has setup prepare the host for a user, until the test ends.
func prepare(t *testing.T, u hostUser) {
	t.Helper()
	t.Cleanup(func() {
		u.destroyAll(t)
		u.settled(t)
		setup(t, "--user", u.name, "--undo")
	})
	setup(t, "--user", u.name)
}

// A user who has never been root does all of a day's work.
func TestRootless(t *testing.T) {
	u := newHostUser(t, "a")
	dir := u.project(t, "shop", fmt.Sprintf(workdayEnvfile, "debian:bookworm"))
	if out, err := u.try(t, dir, "berth", "up"); err == nil || !strings.Contains(out, "sudo berth setup") {
		t.Fatalf("up on a host that is not prepared: %v\n%s", err, out)
	}
	prepare(t, u)
	u.giveImage(t)
	u.run(t, dir, "berth", "up")
	checkLimits(t, u.run(t, dir, "berth", "status", "--json"))
	for command, want := range map[string]string{
		"id -un":                                    "dev",
		"sudo cat /root/provisioned":                "0",
		"ping -c1 -W2 -q db >/dev/null; echo $?":    "0",
		"stat -c %U /work/Envfile":                  "dev",
		"touch /work/mine && stat -c %u /work/mine": "1000",
	} {
		if out := strings.TrimSpace(u.run(t, dir, "berth", "ssh", "-c", command)); out != want {
			t.Errorf("%s: %q, want %q", command, out, want)
		}
	}
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Join(dir, "mine"), &st); err != nil || int(st.Uid) != u.uid || int(st.Gid) != u.gid {
		t.Errorf("what the box's user made belongs to %d:%d, %v; want %d:%d", st.Uid, st.Gid, err, u.uid, u.gid)
	}
	checkForward(t, u, dir)
	for _, step := range [][2]string{{"suspend", "frozen"}, {"resume", "running"}, {"halt", "stopped"}, {"up", "running"}, {"provision", "running"}} {
		u.run(t, dir, "berth", step[0])
		if out := u.run(t, dir, "berth", "status"); !strings.Contains(out, step[1]) {
			t.Errorf("after %s, boxes are not %s:\n%s", step[0], step[1], out)
		}
	}
	u.run(t, dir, "berth", "destroy", "-f")
	u.settled(t)
	u.noSudo(t)
}

// statusOf is what the test looks at in `berth status --json`.
type statusOf struct {
	Mode  string
	Boxes []struct {
		Name   string
		Limits struct {
			CPUs   float64 `json:"cpus"`
			Memory int64   `json:"memory_bytes"`
			PIDs   int64   `json:"pids"`
		}
	}
}

func checkLimits(t *testing.T, status string) {
	t.Helper()
	var s statusOf
	if err := json.Unmarshal([]byte(status), &s); err != nil || s.Mode != "rootless" || len(s.Boxes) != 2 {
		t.Fatalf("status: %v\n%s", err, status)
	}
	for _, b := range s.Boxes {
		if l := b.Limits; b.Name == "web" && (l.CPUs != 1.5 || l.Memory != 300<<20 || l.PIDs != 250) {
			t.Errorf("the kernel has the limits %+v", l)
		}
	}
}

// checkForward enters the box by its forward.
func checkForward(t *testing.T, u hostUser, dir string) {
	t.Helper()
	var ports struct {
		Ports []struct {
			Host string `json:"host"`
		} `json:"ports"`
	}
	out := u.run(t, dir, "berth", "port", "--json")
	if err := json.Unmarshal([]byte(out), &ports); err != nil || len(ports.Ports) != 1 {
		t.Fatalf("port: %v\n%s", err, out)
	}
	conn, err := net.DialTimeout("tcp", ports.Ports[0].Host, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	banner := make([]byte, 4)
	if _, err := io.ReadFull(conn, banner); err != nil || string(banner) != "SSH-" {
		t.Errorf("the forward answers %q, %v", banner, err)
	}
}

// Without root a limit of the disk fails before anything is made, or is left out
// with a warning if the Envfile says so.
func TestRootlessDisk(t *testing.T) {
	u := newHostUser(t, "f")
	prepare(t, u)
	u.giveImage(t)
	const envfile = "box \"one\" {\n  image = \"debian:bookworm\"\n  resources {\n    disk = \"1GiB\"\n%s  }\n}\n"
	dir := u.project(t, "enforced", fmt.Sprintf(envfile, ""))
	out, err := u.try(t, dir, "berth", "up")
	if err == nil || !strings.Contains(out, "without root cannot be limited") || !strings.Contains(out, "Envfile line 4") || !strings.Contains(out, "disk_enforce = false") {
		t.Errorf("with a limit that cannot be enforced: %v\n%s", err, out)
	}
	if out := u.run(t, dir, "berth", "status"); strings.Contains(out, "stopped") || strings.Contains(out, "running") {
		t.Errorf("something was made: %s", out)
	}
	dir = u.project(t, "optional", fmt.Sprintf(envfile, "    disk_enforce = false\n"))
	out, err = u.try(t, dir, "berth", "up")
	if err != nil || strings.Count(out, "its disk is not limited") != 1 {
		t.Errorf("with disk_enforce = false: %v\n%s", err, out)
	}
	if out, err := u.try(t, dir, "berth", "up"); err != nil || strings.Contains(out, "changed") {
		t.Errorf("the second up: %v\n%s", err, out)
	}
	u.run(t, dir, "berth", "destroy", "-f")
	u.settled(t)
}

// Two users neither see nor reach each other's boxes.
func TestRootlessTwoUsers(t *testing.T) {
	a, b := newHostUser(t, "b"), newHostUser(t, "c")
	const envfile = "box \"one\" {\n  image = \"debian:bookworm\"\n}\n"
	dirs := map[string]string{}
	addrs := map[string]string{}
	for _, u := range []hostUser{a, b} {
		prepare(t, u)
		u.giveImage(t)
		dirs[u.name] = u.project(t, "same", envfile)
		u.run(t, dirs[u.name], "berth", "up")
		addrs[u.name] = strings.TrimSpace(u.run(t, dirs[u.name], "berth", "ssh", "-c", "hostname -I | cut -d' ' -f1"))
	}
	ping := func(u hostUser, addr string) error {
		_, err := u.try(t, dirs[u.name], "berth", "ssh", "-c", "ping -c1 -W2 -q "+addr)
		return err
	}
	if err := ping(a, "10.179.0.1"); err != nil && ping(a, strings.TrimSuffix(addrs[a.name], ".2")+".1") != nil {
		t.Errorf("%s reaches nothing at all: %v", a.name, err)
	}
	for _, u := range []hostUser{a, b} {
		if err := ping(u, addrs[u.name]); err != nil {
			t.Fatalf("%s does not reach its own box at %q: %v", u.name, addrs[u.name], err)
		}
	}
	for _, pair := range [][2]hostUser{{a, b}, {b, a}} {
		if ping(pair[0], addrs[pair[1].name]) == nil {
			t.Errorf("a box of %s reaches one of %s at %s", pair[0].name, pair[1].name, addrs[pair[1].name])
		}
		if out, err := pair[0].try(t, pair[0].home, "ls", pair[1].data()); err == nil {
			t.Errorf("%s reads the data home of %s: %s", pair[0].name, pair[1].name, out)
		}
	}
	a.run(t, dirs[a.name], "berth", "destroy", "-f")
	a.settled(t)
	if out := b.run(t, dirs[b.name], "berth", "ssh", "-c", "echo alive"); out != "alive\n" {
		t.Errorf("the other user's box: %q", out)
	}
}

// setup changes nothing when asked what it would do, nothing when there is nothing
// to do, and takes back all that it has done.
func TestSetup(t *testing.T) {
	u := newHostUser(t, "d")
	before := hostState(t, u)
	same := func(when string, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, hostState(t, u)); diff != "" {
			t.Errorf("%s, the host is another (-before +after):\n%s", when, diff)
		}
	}
	if out := setup(t, "--user", u.name, "--dry-run"); !strings.Contains(out, "would give "+u.name+" the network") {
		t.Errorf("--dry-run says\n%s", out)
	}
	same("after --dry-run", before)
	t.Cleanup(func() { _ = exec.Command("berth", "setup", "--user", u.name, "--undo").Run() })
	setup(t, "--user", u.name)
	prepared := hostState(t, u)
	if maps.Equal(before, prepared) {
		t.Fatal("setup has changed nothing that this test looks at")
	}
	if out := setup(t, "--user", u.name); !strings.Contains(out, "prepared already: nothing was changed") {
		t.Errorf("the second setup says\n%s", out)
	}
	same("after the second setup", prepared)
	setup(t, "--user", u.name, "--undo", "--dry-run")
	same("after --undo --dry-run", prepared)
	setup(t, "--user", u.name, "--undo")
	same("after --undo", before)
	if out := setup(t, "--user", u.name, "--undo"); !strings.Contains(out, "nothing of setup's is left") {
		t.Errorf("the second --undo says\n%s", out)
	}
}

// hostState is what setup may change, by name. What other tests do to the host at
// the same time is left out.
func hostState(t *testing.T, u hostUser) map[string]string {
	t.Helper()
	state := map[string]string{}
	for _, name := range []string{"max_user_instances", "max_user_watches"} {
		b, _ := os.ReadFile("/proc/sys/fs/inotify/" + name)
		state[name] = string(b)
	}
	for _, root := range []string{"/etc/berth", "/etc/lxc", "/etc/subuid", "/etc/subgid", "/etc/sysctl.d", "/etc/systemd/system", "/var/lib/systemd/linger"} {
		_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return nil // it is not there
			}
			b, _ := os.ReadFile(path) // a folder has none
			state[path] = fmt.Sprintf("%s %x", e.Type(), sha256.Sum256(b))
			return nil
		})
	}
	for _, pattern := range []string{"/sys/class/net/berthu%d*", "/sys/fs/cgroup/*/berth.user.%d"} {
		found, _ := filepath.Glob(fmt.Sprintf(pattern, u.uid))
		for _, f := range found {
			state[f] = "there"
		}
	}
	return state
}
