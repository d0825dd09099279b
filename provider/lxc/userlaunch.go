package lxc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/cgroup"
	"github.com/berth-dev/berth/provider/lxc/mountinfo"
)

// bootOrder is all that it takes to boot a user's box.
type bootOrder struct {
	ID      string            `json:"id"`
	Root    string            `json:"root"`   // the store's
	Layers  []string          `json:"layers"` // digests, topmost first
	Folders []provider.Folder `json:"folders"`
	Links   []userLink        `json:"links"`

	// What the outside adds.
	Opened  []openedFolder `json:"opened,omitempty"`
	Socket  string         `json:"socket,omitempty"`  // where the hook asks for the links
	Cgroup  string         `json:"cgroup,omitempty"`  // the cgroup above the box's, as in /proc/PID/cgroup
	Unified string         `json:"unified,omitempty"` // its folder in cgroup v2, where LXC is to begin
}

// userLink is a network device of a box, as its namespace sees it.
type userLink struct {
	Bridge  string       `json:"bridge"`
	Name    string       `json:"name"`
	MAC     string       `json:"mac"`
	Addr    netip.Prefix `json:"addr"`
	Gateway netip.Addr   `json:"gateway"` // none: the zero value
}

// openedFolder says which folder of the host a source was, once it was opened by
// the user: the inside mounts that one or none.
type openedFolder struct {
	Path  string `json:"path"` // without symbolic links
	Dev   uint64 `json:"dev"`
	Inode uint64 `json:"inode"`
}

// openFolders opens the sources as the user, who sees whose the links on the way
// are: inside, other users cannot be told apart.
func openFolders(root string, folders []provider.Folder) ([]openedFolder, error) {
	p := &lxcProvider{store: store{root: root}}
	var all []openedFolder
	for _, f := range folders {
		source, err := p.openFolder(f)
		if err != nil {
			return nil, err
		}
		var st unix.Stat_t
		err = unix.Fstat(int(source.Fd()), &st)
		path, err2 := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", source.Fd()))
		source.Close()
		if err := errors.Join(err, err2); err != nil {
			return nil, &provider.ArgError{Arg: "box.folder." + f.Target, Err: fmt.Errorf("look at %s: %w", f.Source, err)}
		}
		all = append(all, openedFolder{path, st.Dev, st.Ino})
	}
	return all, nil
}

// launchCommand returns the command that boots a box from within cgroups that are
// the user's: those that setup made, or a scope of the user's systemd.
func launchCommand(ctx context.Context, self, id string) (*exec.Cmd, error) {
	argv := append([]string{self}, helperArgs("launch")...)
	if len(cgroup.UserDirs(os.Getuid())) > 0 {
		return exec.CommandContext(ctx, argv[0], argv[1:]...), nil
	}
	runtime := runtimeDir(os.Getuid())
	if runtime == "" {
		return nil, errors.New("the box's limits cannot be set: there are neither cgroups of yours nor a systemd of yours " +
			"(a login by ssh or at the console starts one; su and sudo do not)" + fixSetup)
	}
	run := []string{"--user", "--scope", "--quiet", "--collect", "--unit=" + scopeName(id),
		"--property=Delegate=yes", "--property=TasksMax=infinity", "--description=Berth box " + id}
	// When the host shuts down, all that runs in the box is asked to end. Its init
	// does not take that for itself: soon it gets the signal that makes it halt,
	// which LXC hands on. Else the shutdown waits 90 s and kills it.
	run = append(run, "--property=TimeoutStopSec=5s", "--property=FinalKillSignal="+strconv.Itoa(haltSignal), "--")
	cmd := exec.CommandContext(ctx, "systemd-run", append(run, argv...)...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+runtime)
	return cmd, nil
}

// scopeName is the unit of one start of a box.
func scopeName(id string) string { return fmt.Sprintf("%s%d.scope", scopePrefix(id), os.Getpid()) }

func scopePrefix(id string) string { return "berth-" + id + "-" }

// runtimeDir returns where the user's own systemd listens; empty when there is
// none.
func runtimeDir(uid int) string {
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/run/user/" + strconv.Itoa(uid)} {
		if st, err := os.Stat(filepath.Join(dir, "systemd")); dir != "" && err == nil && st.IsDir() {
			return dir
		}
	}
	return ""
}

// helpLaunch boots a box: it goes into the cgroups, opens the folders, makes the
// user namespace for the box's LXC, and makes the network devices that LXC's hook
// asks for.
func helpLaunch() error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	order, err := readInput[bootOrder](os.Stdin)
	if err != nil {
		return err
	}
	if err := order.enterCgroups(); err != nil {
		return err
	}
	if order.Opened, err = openFolders(order.Root, order.Folders); err != nil {
		return err
	}
	ids, err := ownIDs()
	if err != nil {
		return err
	}
	links, err := serveLinks(ctx, order)
	if err != nil {
		return err
	}
	defer links.close()
	order.Socket = links.path
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd, done, err := inUserNamespace(ctx, ids, append([]string{self}, helperArgs("boot")...)...)
	if err != nil {
		return err
	}
	defer done()
	err = runHelper(cmd, order)
	if cause := links.failed(); cause != nil {
		return cause
	}
	return err
}

// enterCgroups moves this process to where the box's cgroups are to be.
func (o *bootOrder) enterCgroups() error {
	uid := os.Getuid()
	if dirs := cgroup.UserDirs(uid); len(dirs) > 0 {
		o.Cgroup = "/" + cgroup.UserName(uid)
		for _, dir := range dirs {
			if err := moveInto(dir); err != nil {
				return err
			}
		}
		return nil
	}
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return fmt.Errorf("read own cgroups: %w", err)
	}
	_, path, ok := strings.Cut(strings.TrimSpace(string(b)), "0::")
	point, err := unifiedPoint()
	if err != nil || !ok {
		return errors.Join(errors.New("find the cgroup that systemd has made for the box"), err)
	}
	o.Cgroup, o.Unified = path, filepath.Join(point, path)
	// LXC's monitor hands the controllers on from the cgroup in which it began,
	// which works once nobody is left in that: this process must not be.
	start := filepath.Join(o.Unified, "berth.start")
	if err := os.Mkdir(start, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make a cgroup in the box's scope: %w", err)
	}
	return moveInto(start)
}

func moveInto(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
		return fmt.Errorf("enter the cgroup %s: %w%s", dir, err, fixSetup)
	}
	return nil
}

// unifiedPoint returns where cgroup v2 is mounted.
func unifiedPoint() (string, error) {
	all, err := mountinfo.All()
	if err != nil {
		return "", err
	}
	for _, m := range all {
		if m.FSType == "cgroup2" {
			return m.Point, nil
		}
	}
	return "", errors.New("cgroup v2 is not mounted")
}
