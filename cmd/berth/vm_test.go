package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vmLimits is what workdayEnvfile says of the box web, as the kernel has it.
var vmLimits = map[string]string{"memory.max": "314572800", "cpu.max": "150000 100000", "pids.max": "250"}

// TestFreshMachine is `make test-vm`: all that a user does with the package on a
// machine where nothing was installed by hand, with one `sudo berth setup` and no
// sudo after that; then the same boxes as root's.
func TestFreshMachine(t *testing.T) {
	m := freshMachine(t)
	t.Logf("the machine: %s", m.run(t, "uname -srm; . /etc/os-release; echo $PRETTY_NAME; stat -fc %T /sys/fs/cgroup; "+
		"cat /sys/module/apparmor/parameters/enabled; sudo -n id -un"))
	w := workday{machine: m, user: m.run(t, "id -un"), home: m.run(t, "echo $HOME"), bin: "PATH=$HOME/no-sudo:$PATH berth "}
	step(t, "install the package", w.install)
	before := m.prepared(t)
	step(t, "sudo berth setup", w.setup)
	step(t, "make a project", func(t *testing.T) {
		w.says(t, "mkdir new shop no-sudo && cd new && berth init >/dev/null 2>&1 && berth validate >/dev/null 2>&1 && ls", "Envfile")
		w.write(t, "no-sudo/sudo", sudoShim)
		w.run(t, "chmod +x no-sudo/sudo")
		w.write(t, "shop/Envfile", fmt.Sprintf(workdayEnvfile, "debian:bookworm"))
	})
	step(t, "berth doctor", func(t *testing.T) { t.Log(w.run(t, w.berth("doctor"))) })
	step(t, "berth up, with the image", func(t *testing.T) { w.run(t, w.berth("up")) })
	step(t, "what the boxes are", func(t *testing.T) { w.look(t, "rootless") })
	step(t, "halt and up", w.again)
	step(t, "attacks from a box", func(t *testing.T) { w.attacked(t, w.home+"/.local/share/berth") })
	step(t, "reboot", func(t *testing.T) { m.restart(t) })
	step(t, "after the reboot", w.rebooted)
	step(t, "berth package", func(t *testing.T) { w.run(t, w.berth("package db -o ../db.box")) })
	step(t, "berth destroy", func(t *testing.T) { w.destroy(t, w.home+"/.local/share/berth/provider/lxc") })
	step(t, "no sudo was called", func(t *testing.T) { w.says(t, "cat sudo-was-called 2>/dev/null; true", "") })

	root := w
	root.bin = "sudo -n berth "
	step(t, "boxes of root's: image and up", func(t *testing.T) {
		root.write(t, "shop/Envfile", fmt.Sprintf(workdayEnvfile, "local:db"))
		root.run(t, root.berth("image import ../db.box"))
		root.run(t, root.berth("up"))
	})
	step(t, "boxes of root's: what they are", func(t *testing.T) { root.look(t, "root") })
	step(t, "boxes of root's: attacks from a box", func(t *testing.T) { root.attacked(t, "/var/lib/berth") })
	step(t, "boxes of root's: destroy", func(t *testing.T) { root.destroy(t, "/var/lib/berth/provider/lxc") })
	step(t, "sudo berth setup --undo", func(t *testing.T) {
		w.run(t, w.berth("gc --older-than 0s"))
		t.Log(m.run(t, "sudo -n berth setup --undo"))
		if diff := cmp.Diff(before, m.prepared(t)); diff != "" {
			t.Errorf("setup --undo leaves the machine another than it was (-before +after):\n%s", diff)
		}
	})
}

// workday is what a user does on the machine.
type workday struct {
	machine
	user, home string
	bin        string // how berth is called
}

// berth is a shell command that runs berth in the project.
func (w workday) berth(args string) string { return "cd ~/shop && " + w.bin + args }

// inBox runs a shell command in a box, as its login user.
func (w workday) inBox(box, command string) string {
	return w.berth("ssh " + box + " -c " + quote(command))
}

func (w workday) write(t *testing.T, name, text string) {
	t.Helper()
	if out, err := w.feed(strings.NewReader(text), "cat >"+quote(name)); err != nil {
		t.Fatalf("write %s on the machine: %v\n%s", name, err, out)
	}
}

// install brings the package there, over ssh's standard input. What apt would only
// recommend must not be needed.
func (w workday) install(t *testing.T) {
	file := builtPackage(t)
	deb, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer deb.Close()
	if out, err := w.feed(deb, "cat >berth.deb"); err != nil {
		t.Fatalf("copy %s to the machine: %v\n%s", file, err, out)
	}
	const apt = "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get -q "
	w.run(t, apt+"update && "+apt+"install -y --no-install-recommends ./berth.deb")
	w.says(t, "systemctl is-enabled berth-network.service; berth version >/dev/null", "disabled")
}

func (w workday) setup(t *testing.T) {
	t.Log(w.run(t, "sudo -n berth setup"))
	w.says(t, "sudo -n berth setup | head -1", w.user+" is prepared already: nothing was changed")
	w.says(t, "systemctl is-enabled berth-network.service", "enabled")
}

// look tries what boxes are good for.
func (w workday) look(t *testing.T, mode string) {
	for _, c := range [][2]string{
		{w.inBox("web", "id -un; sudo id -un"), "dev\nroot"},
		{w.berth("status | grep -c running"), "2"},
		{w.inBox("web", "getent hosts db | cut -d' ' -f1; ping -c1 -W9 -q db >/dev/null; echo $?"), "10.60.0.10\n0"},
		{w.inBox("web", "touch /work/from-box; stat -c %U /work/Envfile") + "; stat -c %U from-box", "dev\n" + w.user},
		{w.inBox("web", "sudo touch /work/from-root"), ""},
		{"cd shop; stat -c %U from-root | grep -cx root; rm -f from-box from-root; touch mine", "0"},
		{w.inBox("web", "stat -c %U /work/mine; rm /work/mine; sudo systemctl is-system-running --wait"), "dev\nrunning"},
		{`bash -c 'exec 3<>/dev/tcp/127.0.0.1/22022; head -c4 <&3'`, "SSH-"},
	} {
		w.says(t, c[0], c[1])
	}
	w.limits(t)
	var s statusOf
	if out := w.run(t, w.berth("status --json")); json.Unmarshal([]byte(out), &s) != nil || s.Mode != mode {
		t.Errorf("berth status --json says mode %q, want %q:\n%s", s.Mode, mode, out)
	}
}

// limits compares what the kernel has for the running box with the Envfile.
func (w workday) limits(t *testing.T) {
	t.Helper()
	dirs := strings.Fields(w.run(t, "find /sys/fs/cgroup -type d -name 'berth.box.*-web-*'"))
	if len(dirs) != 1 {
		t.Fatalf("cgroups of the running box web: %q; want one", dirs)
	}
	t.Logf("%s, with %s tasks:", dirs[0], w.run(t, "cat "+path.Join(dirs[0], "pids.current")))
	for file, want := range vmLimits {
		got := w.run(t, "cat "+path.Join(dirs[0], file))
		t.Logf("%s: %s", file, got)
		if got != want {
			t.Errorf("%s is %q, and the Envfile means %q", file, got, want)
		}
	}
}

func (w workday) again(t *testing.T) {
	w.run(t, w.berth("halt"))
	w.says(t, w.berth("status | grep -c stopped"), "2")
	w.says(t, "find /sys/fs/cgroup -name 'berth.*' -type d", "")
	w.run(t, w.berth("up"))
	w.limits(t)
}

// attacked has a box try to get at the machine; data is the data home.
func (w workday) attacked(t *testing.T, data string) {
	find := func(command string) string {
		out, err := w.root(command)
		if err != nil || out == "" {
			t.Fatalf("look for what to attack: %s: %v\n%s", command, err, out)
		}
		return out
	}
	other := find("ls -d " + data + "/provider/lxc/boxes/*-db-*/disk/upper")
	disk := find(`for d in /sys/block/[!lz]*; do test "$(cat $d/size)" = 0 || { cat $d/dev; break; }; done`)
	if !regexp.MustCompile(`^\d+:\d+$`).MatchString(disk) {
		t.Fatalf("the machine's disk: %q", disk)
	}
	const mark = "sleep 86432100"
	find("nohup " + mark + " >/dev/null 2>&1 & echo begun")
	defer func() { _, _ = w.root("kill $(pgrep -fx " + quote(mark) + ")") }()
	all := attacks(data, path.Join(path.Dir(path.Dir(other)), "box.json"), other, w.home+"/shop", disk, mark)
	resist(t, all, func(command string) (string, error) { return w.try(w.inBox("web", command)) }, w.root)
}

// rebooted looks whether what setup has made came back by itself.
func (w workday) rebooted(t *testing.T) {
	w.says(t, "sudo journalctl -b --no-pager | grep 'ordering cycle' || echo none", "none")
	w.says(t, "systemctl is-active berth-network.service", "active")
	w.says(t, "cat /sys/class/net/berthu$(id -u)/operstate >/dev/null && cat /proc/sys/net/ipv4/ip_forward", "1")
	t.Log(w.run(t, w.berth("doctor")))
	w.says(t, w.berth("status | grep -c stopped"), "2")
	w.run(t, w.berth("up"))
	w.look(t, "rootless")
	w.run(t, w.inBox("web", "sudo apt-get update -q -o APT::Update::Error-Mode=any")) // by way of NAT
}

func (w workday) destroy(t *testing.T, data string) {
	w.run(t, w.berth("destroy -f"))
	if left := w.residue(t, data); left != "" {
		t.Errorf("after berth destroy -f the machine still has\n%s", left)
	}
}
