package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/berth-dev/berth/internal/testenv"
)

// attack is something that the root of a box must not be able to do. The shell
// command succeeds where it can be done.
type attack struct {
	name    string
	command string
	// onHost shows that the command tells success from failure: it is run on the
	// host as root, where it must succeed and harms nobody. Empty: command itself.
	// "-" where it must not be run.
	onHost string
}

// initModule asks the kernel to load a module that is none: where that is allowed
// it says ENOEXEC or so, where it is not, EPERM.
const initModule = `python3 -c 'import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall(175 if os.uname().machine == "x86_64" else 105, b"none", 4, b"")
sys.exit(ctypes.get_errno() == 1)'`

// attacks lists them for a box with the folder project; secret is a file in the
// data home, other the disk of another box, disk the host's ("254:0"), mark a word
// in the command line of a process on the host.
func attacks(data, secret, other, project, disk, mark string) []attack {
	major, minor, _ := strings.Cut(disk, ":")
	node := "rm -f /tmp/node-of-disk; mknod /tmp/node-of-disk b " + major + " " + minor + " && "
	dir, base := "/work", filepath.Base(project)
	var onDisk []attack
	if disk != "" {
		onDisk = []attack{
			{"read the host's disk", node + "head -c1 /tmp/node-of-disk; s=$?; rm -f /tmp/node-of-disk; exit $s", node + "rm /tmp/node-of-disk"},
			{"mount the host's disk", node + "mount -o ro /tmp/node-of-disk /mnt", "-"},
		}
	}
	return append(onDisk, []attack{
		{"list the data home", "ls " + data, ""},
		{"read the data home", "cat " + secret, ""},
		{"read the data home by way of the first process", "cat /proc/1/root" + secret, "cat " + secret},
		{"read another box's disk", "ls " + other, ""},
		{"read the data home from above the project", fmt.Sprintf("ls %s/../%s/Envfile", dir, base), fmt.Sprintf("ls %s/../%s/Envfile", project, base)},
		{"mount the host's disk by its type", "for t in ext4 xfs btrfs; do mount -t $t -o ro /dev/root /mnt && exit 0; done; exit 1", "-"},
		{"press a magic key", "echo h >/proc/sysrq-trigger", "test ! -e /proc/sysrq-trigger || echo h >/proc/sysrq-trigger"},
		{"load a module", initModule, ""},
		{"change a sysctl of the host", "cat /proc/sys/kernel/panic >/tmp/panic && cat /tmp/panic >/proc/sys/kernel/panic", ""},
		{"change the host's memory settings", "cat /proc/sys/vm/swappiness >/tmp/swap && cat /tmp/swap >/proc/sys/vm/swappiness", ""},
		{"change a sysctl of the host in a /proc of its own", "mkdir -p /tmp/proc; mount -t proc proc /tmp/proc && " +
			"cat /proc/sys/kernel/panic >/tmp/panic && cat /tmp/panic >/tmp/proc/sys/kernel/panic; s=$?; umount /tmp/proc; exit $s", "-"},
		{"write to the Envfile", "echo '# more' >>" + dir + "/Envfile", "echo '# more' >>" + project + "/Envfile"},
		{"replace the Envfile", "echo >" + dir + "/new && mv " + dir + "/new " + dir + "/Envfile", "-"},
		{"uncover the Envfile", "umount " + dir + "/Envfile", "-"},
		{"uncover the Envfile in a namespace of its own", "unshare -m sh -c 'umount " + dir + "/Envfile'", "-"},
		{"make the Envfile writable", "mount -o remount,bind,rw " + dir + "/Envfile", "-"},
		{"uncover the Envfile with its folder", "umount " + dir, "-"},
		{"make an Envfile.local that counts", "rm " + dir + "/.berth/no-envfile-local", "test -e " + project + "/.berth/no-envfile-local"},
		{"see a process of the host", "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -q '" + mark[:1] + "[" + mark[1:2] + "]" + mark[2:] + "'", ""},
		{"write to the kernel's log of the host", "echo x >/sys/kernel/profiling", "-"},
		{"enter the host's namespaces", "nsenter -t 1 -m -n -i -u -p true && ls " + data, "-"},
		{"change the clock", "date -s @$(date +%s)", "-"},
	}...)
}

// hostProcess runs on the host with a word in its command line that is nowhere
// else.
func hostProcess(t *testing.T) (mark string) {
	t.Helper()
	seconds := strconv.Itoa(86_400_000 + os.Getpid())
	cmd := exec.Command("sleep", seconds)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return "sleep " + seconds
}

// diskOfHost returns the "major:minor" of a disk of the host that root can read,
// and nothing on a host that has none.
func diskOfHost(t *testing.T) string {
	t.Helper()
	disks, _ := filepath.Glob("/sys/block/*/dev")
	for _, d := range disks {
		size, _ := os.ReadFile(filepath.Join(filepath.Dir(d), "size"))
		b, err := os.ReadFile(d)
		if err == nil && strings.TrimSpace(string(size)) != "0" && !strings.Contains(d, "/loop") {
			return strings.TrimSpace(string(b))
		}
	}
	t.Log("this host has no disk to attack")
	return ""
}

// onThisHost runs a shell command here.
func onThisHost(command string) (string, error) {
	out, err := exec.Command("sh", "-c", command).CombinedOutput()
	return string(out), err
}

// resist runs every attack in a box, as its root, and as the host's root.
func resist(t *testing.T, all []attack, inBox, onHost func(command string) (string, error)) {
	t.Helper()
	if out, err := inBox("sudo id -u"); err != nil || strings.TrimSpace(out) != "0" {
		t.Fatalf("the box cannot be attacked: %q, %v", out, err)
	}
	if out, err := inBox("sudo sh -c 'echo >/tmp/control && mv /tmp/control /tmp/controlled && rm /tmp/controlled'"); err != nil {
		t.Fatalf("the box's root can do nothing at all: %s, %v", out, err)
	}
	for _, a := range all {
		if out, err := inBox("sudo sh -c " + quote(a.command)); err == nil {
			t.Errorf("the box's root can %s: %s", a.name, out)
		} else if !strings.Contains(err.Error(), "exit status") {
			t.Errorf("%s: the box did not answer: %v", a.name, err)
		} else if status := exitStatus(err); status == 126 || status == 127 {
			t.Errorf("%s: the box has no such program: %s", a.name, out)
		}
		control := a.onHost
		if control == "" {
			control = a.command
		}
		if control == "-" {
			continue
		}
		if out, err := onHost(control); err != nil {
			t.Errorf("%s: the command fails on the host as well, so it proves nothing: %v\n%s", a.name, err, out)
		}
	}
	if out, err := inBox("echo alive"); err != nil || strings.TrimSpace(out) != "alive" {
		t.Errorf("after all that, the box says %q, %v", out, err)
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

const attackedEnvfile = `
defaults { image = "debian:bookworm" }
box "other" {}
box "evil" { primary = true }
`

// boxDisk finds the disk of a box of a provider's data folder.
func boxDisk(t *testing.T, data, name string) string {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(data, "boxes", "*-"+name+"-*", "disk", "upper"))
	if len(found) != 1 {
		t.Fatalf("disks of box %s: %v", name, found)
	}
	return found[0]
}

// A box's root reaches nothing of the host: boxes of root's.
func TestSecurityRoot(t *testing.T) {
	testenv.NeedLXC(t)
	testenv.NeedNet(t)
	cache, err := imageCache()
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	home, project := filepath.Join(work, "home"), filepath.Join(work, "project")
	data := filepath.Join(home, "provider", "lxc")
	for _, dir := range []string{data, project} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := linkImages(cache, data); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(project, "Envfile"), []byte(attackedEnvfile), 0o644); err != nil {
		t.Fatal(err)
	}
	// A user's project, as it is with sudo: what belongs to root no box can write.
	if err := os.Chown(project, 1000, 1000); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(project, "Envfile"), 1000, 1000); err != nil {
		t.Fatal(err)
	}
	berth := func(args ...string) (string, error) {
		cmd := exec.Command("berth", args...)
		cmd.Dir = project
		cmd.Env = append(os.Environ(), "BERTH_HOME="+home)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	t.Cleanup(func() {
		if out, err := berth("destroy", "-f"); err != nil {
			t.Errorf("destroy: %v\n%s", err, out)
		}
	})
	if out, err := berth("up"); err != nil {
		t.Fatalf("up: %v\n%s", err, out)
	}
	all := attacks(home, filepath.Join(data, "network.json"), boxDisk(t, data, "other"), project, diskOfHost(t), hostProcess(t))
	resist(t, all, func(command string) (string, error) { return berth("ssh", "-c", command) }, onThisHost)
}

// A box's root reaches nothing of the host: boxes of a user's.
func TestSecurityRootless(t *testing.T) {
	u := newHostUser(t, "e")
	prepare(t, u)
	u.giveImage(t)
	project := u.project(t, "shop", attackedEnvfile)
	u.run(t, project, "berth", "up")
	other := boxDisk(t, u.data(), "other")
	secret := filepath.Join(filepath.Dir(filepath.Dir(other)), "box.json")
	all := attacks(filepath.Join(u.home, ".local/share/berth"), secret, other, project, diskOfHost(t), hostProcess(t))
	resist(t, all, func(command string) (string, error) { return u.try(t, project, "berth", "ssh", "-c", command) }, onThisHost)
	u.noSudo(t)
}
