package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// userMode makes boxes as a user: this process is root in a user namespace, and
// what that cannot do is asked of the process outside (outside.go). All boxes of
// a user have the same ids.
type userMode struct{ uid int }

// killTimeout bounds what is asked of the process outside where no context is.
const killTimeout = 5 * time.Second

func newUserMode() mode {
	uid, err := strconv.Atoi(os.Getenv(outsideVar))
	if err != nil {
		return strandedMode{}
	}
	joinUserCgroups(uid)
	return userMode{uid}
}

var joined sync.Once

// joinUserCgroups moves this process, once, to where LXC's tools look for a box's
// v1 cgroups: below their own.
func joinUserCgroups(uid int) {
	joined.Do(func() {
		for _, dir := range cgroup.UserDirs(uid) {
			_ = moveInto(dir) // a tool that then fails says so
		}
	})
}

// ask has the process outside do something.
func (userMode) ask(ctx context.Context, do string, with any) error {
	o, err := outsideProcess()
	if err != nil {
		return err
	}
	return o.ask(ctx, do, with)
}

func (m userMode) check(ctx context.Context, s store) []string {
	var problems []string
	if _, err := UserNIC(); err != nil {
		problems = append(problems, err.Error())
	}
	if _, err := os.Stat(stage); err != nil {
		problems = append(problems, stage+" is not there: it is made at every boot"+fixNetwork)
	}
	if _, err := m.network(ctx, s); err != nil {
		problems = append(problems, err.Error())
	}
	if err := m.ask(ctx, "check", nil); err != nil {
		problems = append(problems, err.Error())
	}
	return problems
}

// userTools: LXC's own place for locks is root's.
func userTools(s store) lxcTools { return lxcTools{store: s, runtime: s.runtime()} }

func (userMode) tools(s store) lxcTools { return userTools(s) }

// leaseIDs: the box's ids are those of this process's namespace.
func (userMode) leaseIDs(store, []record) (uint32, error) { return 0, nil }

func (m userMode) configure(r record, _ network, set func(key, value string)) {
	for _, span := range keptSpans {
		set("lxc.idmap", fmt.Sprintf("u %d %d %d", span[0], span[0], span[1]))
		set("lxc.idmap", fmt.Sprintf("g %d %d %d", span[0], span[0], span[1]))
	}
	set("lxc.cgroup.relative", "1")
	set("lxc.net.0.type", "empty")
	set("lxc.hook.start-host", hookCommand)
}

// userManagerStop lets a box halt in time. Where a user's box has no cgroup v2,
// systemd in it may not notice that a login's own systemd has ended, and would wait
// two minutes for it (systemd 252, when the box halts while that one starts).
const userManagerStop = "# Written by Berth.\n[Service]\nTimeoutStopSec=3s\n"

func (m userMode) files() []imageFile {
	if len(cgroup.UserDirs(m.uid)) == 0 {
		return nil
	}
	return []imageFile{{"etc/systemd/system/user@.service.d/berth.conf", 0o644, userManagerStop}}
}

// nestingProfile is one that LXC's package loads: the only one of its that lets
// systemd in a box make mounts for services with a sandbox.
const nestingProfile = "lxc-container-default-with-nesting"

// appArmor: a profile for this box alone would be root's to load.
func (userMode) appArmor() string {
	b, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	if err != nil || !strings.HasPrefix(string(b), "Y") {
		return ""
	}
	if _, err := os.Stat("/etc/apparmor.d/lxc/lxc-default-with-nesting"); err == nil {
		return nestingProfile
	}
	return "unconfined"
}

func (m userMode) checkFolders(ctx context.Context, p *lxcProvider, folders []provider.Folder) error {
	return m.ask(ctx, "folders", bootOrder{Root: p.store.root, Folders: folders})
}

func (userMode) limitsDisks() error { return errUserDisk }

func (m userMode) boot(ctx context.Context, p *lxcProvider, r record, n network, spec provider.Spec) error {
	return m.ask(ctx, "boot", bootOrder{ID: r.ID, Root: p.store.root, Layers: r.Layers, Folders: spec.Folders, Links: userLinks(r, n)})
}

// reached: the hook has done it all, and a user may not look at firewalls.
func (userMode) reached(context.Context, record, network, int) (string, error) { return "", nil }

func (m userMode) tell(r record, pid int, block string) error {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	return m.ask(ctx, "tell", tellOrder{ID: r.ID, PID: pid, Block: block})
}

// kill: the user owns the namespaces of all its boxes, and so may end what is in
// them; the root of another namespace may not.
func (m userMode) kill(pid int) {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	_ = m.ask(ctx, "kill", pid) // whoever waits for its end sees whether it worked
}

// outside is the process outside.
type outside struct {
	self string // this program
}

// do does what is asked for.
func (o *outside) do(ctx context.Context, r request) error {
	switch r.Do {
	case "check":
		_, err := launchCommand(ctx, o.self, "check")
		return err
	case "folders":
		order, err := decode[bootOrder](r.With)
		if err == nil {
			_, err = openFolders(order.Root, order.Folders)
		}
		return err
	case "boot":
		order, err := decode[bootOrder](r.With)
		if err != nil {
			return err
		}
		cmd, err := launchCommand(ctx, o.self, order.ID)
		if err != nil {
			return err
		}
		cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
		return runHelper(cmd, order)
	case "tell":
		order, err := decode[tellOrder](r.With)
		if err != nil {
			return err
		}
		return order.enter(ctx, o.self)
	case "kill":
		pid, err := decode[int](r.With)
		if err != nil || pid <= 1 {
			return errors.Join(errors.New("end a process: it has no number"), err)
		}
		return unix.Kill(pid, unix.SIGKILL)
	}
	return fmt.Errorf("the plugin asks for %q, which is not known", r.Do)
}

// tellOrder is what a box's hosts file is to hold.
type tellOrder struct {
	ID    string `json:"id"`
	PID   int    `json:"pid"` // the box's first process
	Block string `json:"block"`
}

// enter runs the helper in the box's user namespace, as its root.
func (t tellOrder) enter(ctx context.Context, self string) error {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--target", strconv.Itoa(t.PID), "--user", "--setuid", "0", "--setgid", "0",
		"--", self}, helperArgs("tell")...)...)
	return runHelper(cmd, t)
}

// helpTell writes a box's hosts file, with no more rights than the box's root has.
func helpTell() error {
	order, err := readInput[tellOrder](os.Stdin)
	if err != nil {
		return err
	}
	root, err := order.root()
	if err != nil {
		return err
	}
	defer unix.Close(root)
	return editBeneath(root, "etc", "hosts", func(text string) (string, bool) { return replaceBlock(text, order.Block) })
}

// root opens the root folder of the box whose user namespace this process is in.
func (t tellOrder) root() (int, error) {
	proc, err := unix.Open("/proc/"+strconv.Itoa(t.PID), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("find its first process: %w", err)
	}
	defer unix.Close(proc) // until then what is opened beneath it is of one process
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d/cgroup", proc))
	if err != nil {
		return -1, fmt.Errorf("find its cgroups: %w", err)
	}
	ours := slices.ContainsFunc(strings.Split(string(b), "\n"), func(line string) bool {
		return strings.Contains(line+"/", "/"+cgroup.Payload(t.ID)+"/")
	})
	if !ours {
		return -1, fmt.Errorf("process %d is not of this box", t.PID)
	}
	root, err := unix.Openat(proc, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open its root folder: %w", err)
	}
	return root, nil
}
