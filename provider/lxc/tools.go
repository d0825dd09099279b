package lxc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// tools hides the lxc-* programs, so that unit tests need none.
type tools interface {
	// start boots the container from its configuration and returns when its
	// first process runs. It must be called on the thread whose mount
	// namespace the container shall get.
	start(ctx context.Context, id, log, pidFile string) error
	// stop asks the container to halt and kills it after grace; 0 kills at once. It
	// gives up stopPatience after that: what does not end then is not LXC's to end.
	stop(ctx context.Context, id string, grace time.Duration) error
	// freeze and unfreeze suspend the container in memory and let it go on.
	freeze(ctx context.Context, id string) error
	unfreeze(ctx context.Context, id string) error
	// info returns the state as LXC calls it ("STOPPED") and the host's pid of
	// the first process, 0 when there is none.
	info(ctx context.Context, id string) (state string, pid int, err error)
}

// lxcTools are the programs of the package lxc, for the boxes of a store. runtime,
// if it is not empty, is where they keep their locks instead of the system's place.
type lxcTools struct {
	store   store
	runtime string
}

// environment is what the tools get of one, with this $PATH.
func (t lxcTools) environment(path string) []string {
	env := []string{"PATH=" + path, "LC_ALL=C"}
	if t.runtime != "" {
		env = append(env, "XDG_RUNTIME_DIR="+t.runtime)
	}
	return env
}

func (t lxcTools) start(ctx context.Context, id, log, pidFile string) error {
	// lxc-start makes itself a daemon: it must outlive this process and
	// everything that ends with it.
	cmd := exec.CommandContext(ctx, "lxc-start", "-n", id, "-P", t.store.boxes(), "-d", "-o", log, "-l", "NOTICE", "-p", pidFile)
	cmd.Env = t.environment(stageBin)
	return runTool(cmd)
}

// stopPatience bounds the wait of lxc-stop for a container that it has killed, which
// waits for ever by itself. (A variable for the tests.)
var stopPatience = 15 * time.Second

func (t lxcTools) stop(ctx context.Context, id string, grace time.Duration) error {
	args := []string{"lxc-stop", "-n", id, "-P", t.store.boxes()}
	if grace <= 0 {
		args = append(args, "-k")
	} else {
		// lxc-stop knows whole seconds, and takes 0 for no limit.
		args = append(args, "-t", strconv.Itoa(int((grace+time.Second-1)/time.Second)))
	}
	bounded, cancel := context.WithTimeout(ctx, grace+stopPatience)
	defer cancel()
	err := t.run(bounded, nil, args...)
	if bounded.Err() != nil && ctx.Err() == nil {
		return nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 2 {
		return nil // lxc-stop(1): it was not running
	}
	return err
}

func (t lxcTools) freeze(ctx context.Context, id string) error {
	return t.run(ctx, nil, "lxc-freeze", "-n", id, "-P", t.store.boxes())
}

func (t lxcTools) unfreeze(ctx context.Context, id string) error {
	return t.run(ctx, nil, "lxc-unfreeze", "-n", id, "-P", t.store.boxes())
}

func (t lxcTools) info(ctx context.Context, id string) (string, int, error) {
	if _, err := os.Stat(t.store.file(id, "config")); errors.Is(err, fs.ErrNotExist) {
		return "STOPPED", 0, nil // never configured, and lxc-info would know nothing of it
	}
	if pid, frozen, ok := t.store.runningInit(id); ok {
		if frozen {
			return "FROZEN", pid, ctx.Err()
		}
		return "RUNNING", pid, ctx.Err()
	}
	var out bytes.Buffer
	if err := t.run(ctx, &out, "lxc-info", "-n", id, "-P", t.store.boxes(), "-s", "-p"); err != nil {
		if t.unreadable(ctx, id, err) {
			return "STOPPED", 0, nil
		}
		return "", 0, err
	}
	return parseInfo(out.String())
}

// unreadable reports whether lxc-info failed because of a configuration that LXC
// does not take, such as one with a wrong value of the Envfile's: nothing runs with
// it, and the next start writes another.
func (t lxcTools) unreadable(ctx context.Context, id string, err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !exit.Exited() || ctx.Err() != nil {
		return false
	}
	dirs, err := t.store.cgroups(id, cgroup.Payload(id), cgroup.Monitor(id))
	return err == nil && len(dirs) == 0
}

// parseInfo reads what lxc-info -s -p prints: "State: RUNNING" and "PID: 42".
func parseInfo(out string) (state string, pid int, err error) {
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "State":
			state = value
		case "PID":
			if pid, err = strconv.Atoi(value); err != nil {
				return "", 0, fmt.Errorf("read lxc-info: PID is %q", value)
			}
		}
	}
	if state == "" {
		return "", 0, fmt.Errorf("read lxc-info: no state in %q", out)
	}
	return state, pid, nil
}

// run runs a tool with the plugin's PATH.
func (t lxcTools) run(ctx context.Context, out io.Writer, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = t.environment(os.Getenv("PATH"))
	cmd.Stdout = out
	return runTool(cmd)
}

// runTool runs cmd and puts what it complains about into the error.
func runTool(cmd *exec.Cmd) error {
	cmd.Dir = "/" // a daemon must not hold the project's folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// Should a version of LXC keep our pipes open in its daemon, do not wait for it.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	name := filepath.Base(cmd.Path)
	if text := strings.TrimSpace(stderr.String()); text != "" {
		return fmt.Errorf("%s: %w\n%s", name, err, text)
	}
	return fmt.Errorf("%s: %w", name, err)
}
