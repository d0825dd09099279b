package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider/lxc"
)

// hostUser is a user of this machine that a test has made, who has never been
// root: what is called sudo on its $PATH notes that it was called, and fails.
type hostUser struct {
	name     string
	uid, gid int
	home     string
	bin      string // holds berth and sudo
}

// sudoShim writes its arguments where the test looks.
const sudoShim = "#!/bin/sh\necho \"$@\" >>\"$HOME/sudo-was-called\"\nexit 99\n"

// newHostUser makes a user, who goes with the test, with boxes and all.
func newHostUser(t *testing.T, letter string) hostUser {
	t.Helper()
	// Another run of the tests may be under way.
	name := fmt.Sprintf("berth-test-%d%s", os.Getpid(), letter)
	testenv.NeedLXC(t)
	testenv.NeedTool(t, "useradd")
	testenv.NeedTool(t, "newuidmap")
	if _, err := user.Lookup(name); err == nil {
		t.Fatalf("the user %s is there already: remove it (userdel -r %[1]s)", name)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("userdel", "--remove", name).CombinedOutput(); err != nil && !strings.Contains(string(out), "mail spool") {
			t.Errorf("userdel: %v\n%s", err, out)
		}
	})
	if out, err := exec.Command("useradd", "--create-home", "--shell", "/bin/bash", name).CombinedOutput(); err != nil {
		t.Fatalf("useradd: %v\n%s", err, out)
	}
	entry, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	u := hostUser{name: name, home: entry.HomeDir}
	u.uid, _ = strconv.Atoi(entry.Uid)
	u.gid, _ = strconv.Atoi(entry.Gid)
	// Not below a test's own folder, which is root's.
	if u.bin, err = os.MkdirTemp("", "berth-bin-*"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(u.bin) })
	self, err := exec.LookPath("berth")
	if err != nil {
		t.Fatal(err)
	}
	berth, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"berth": berth, "sudo": []byte(sudoShim)} {
		if err := os.WriteFile(filepath.Join(u.bin, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(u.bin, 0o755); err != nil {
		t.Fatal(err)
	}
	return u
}

// command is a command that the user types in a folder.
func (u hostUser) command(ctx context.Context, dir string, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(u.bin, argv[0]), argv[1:]...)
	if argv[0] != "berth" {
		cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	}
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + u.home, "USER=" + u.name, "PATH=" + u.bin + ":/usr/local/bin:/usr/bin:/bin", "NO_COLOR=1", "LC_ALL=C.UTF-8"}
	for _, v := range os.Environ() { // the way to the network, where it is a proxy's
		if name, _, _ := strings.Cut(v, "="); strings.HasSuffix(strings.ToLower(name), "_proxy") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.gid)}}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// try runs a command of the user's and returns all that it prints.
func (u hostUser) try(t *testing.T, dir string, argv ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	out, err := u.command(ctx, dir, argv...).CombinedOutput()
	return string(out), err
}

// run is try for what must go well. It returns standard output.
func (u hostUser) run(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := u.command(ctx, dir, argv...)
	var out, progress bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &progress
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %s: %v\n%s%s", u.name, strings.Join(argv, " "), err, &out, &progress)
	}
	return out.String()
}

// workdayEnvfile is a project that a user without root works on; the image is open.
const workdayEnvfile = `
defaults { image = "%s" }
box "db" {
  network "back" { ip = "10.60.0.10/24" }
}
box "web" {
  primary    = true
  depends_on = ["db"]
  resources {
    cpus   = 1.5
    memory = "300MiB"
    pids   = 250
  }
  network "back" { ip = "10.60.0.11/24" }
  forward "ssh" {
    guest        = 22
    host         = 22022
    auto_correct = true
  }
  provisioner "shell" "mark" {
    inline = "id -u >/root/provisioned"
  }
}
`

// project makes a folder of the user's with an Envfile.
func (u hostUser) project(t *testing.T, name, envfile string) string {
	t.Helper()
	dir := filepath.Join(u.home, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "Envfile")
	if err := os.WriteFile(path, []byte(envfile), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{dir, path} {
		if err := os.Chown(p, u.uid, u.gid); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// data is the folder of the LXC provider in the user's data home.
func (u hostUser) data() string { return filepath.Join(u.home, ".local/share/berth/provider/lxc") }

// bridge is the main bridge of the user's boxes.
func (u hostUser) bridge() string { return fmt.Sprintf("berthu%d", u.uid) }

// destroyAll removes the boxes of the user's projects, also after a failure.
func (u hostUser) destroyAll(t *testing.T) {
	projects, _ := filepath.Glob(filepath.Join(u.home, "*", "Envfile"))
	for _, p := range projects {
		if out, err := u.try(t, filepath.Dir(p), "berth", "destroy", "-f"); err != nil {
			t.Errorf("destroy: %v\n%s", err, out)
		}
	}
}

// leftovers lists what the user still has running or mounted on the host.
func (u hostUser) leftovers(t *testing.T) []string {
	t.Helper()
	var found []string
	first, err := lxc.UserRange("/etc/subuid", u.name, u.uid)
	if err != nil {
		t.Fatal(err)
	}
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		var st syscall.Stat_t
		if syscall.Stat(p, &st) != nil || int(st.Uid) != u.uid && (st.Uid < first || st.Uid >= first+65536) {
			continue
		}
		cmdline, _ := os.ReadFile(p + "/cmdline")
		if len(cmdline) > 0 { // a dead one is its parent's to bury
			found = append(found, fmt.Sprintf("process %s %q", filepath.Base(p), cmdline))
		}
	}
	links, _ := filepath.Glob(fmt.Sprintf("/sys/class/net/veth%d_*", u.uid))
	found = append(found, links...)
	for _, pattern := range []string{"/sys/fs/cgroup/*/berth.user.%d/*/", "/sys/fs/cgroup/user.slice/user-%d.slice/user@*/*/berth-*"} {
		dirs, _ := filepath.Glob(fmt.Sprintf(pattern, u.uid))
		found = append(found, dirs...)
	}
	boxes, _ := filepath.Glob(filepath.Join(u.data(), "boxes", "*"))
	return append(found, boxes...)
}

// settled waits for what ends a moment after the command that ends it.
func (u hostUser) settled(t *testing.T) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if left = u.leftovers(t); len(left) == 0 {
			return
		}
	}
	t.Errorf("%s still has on the host:\n%s", u.name, strings.Join(left, "\n"))
}

// noSudo fails when the user's sudo was called.
func (u hostUser) noSudo(t *testing.T) {
	t.Helper()
	if b, err := os.ReadFile(filepath.Join(u.home, "sudo-was-called")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("sudo was called: %s (%v)", b, err)
	}
}
