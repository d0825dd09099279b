package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// bootTimeout bounds the wait for LXC to have the box's first process.
const bootTimeout = 30 * time.Second

// helpBoot mounts a user's box's disk and starts its LXC, as the root of a user
// namespace that is the box's own: what it mounts, the box's namespace below can
// neither unmount nor change (mount_namespaces(7)).
func helpBoot() error {
	order, err := readInput[bootOrder](os.Stdin)
	if err != nil {
		return err
	}
	s := store{root: order.Root}
	// Whoever cleans up after the box must know where its cgroups were.
	if err := os.WriteFile(s.file(order.ID, "cgroup"), []byte(order.Cgroup+"\n"), 0o600); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	d := disk{own: s.file(order.ID, "disk"), path: s.boxes(), nested: true, program: self}
	for _, l := range order.Layers {
		d.layers = append(d.layers, s.layer(l))
	}
	d.folders = func() ([]tree, error) { return cloneOpened(order) }
	return inMountNamespace(context.Background(), d, func() error { return order.startLXC(s) })
}

// startLXC starts LXC in the foreground of a session of its own, and returns when
// the box's first process runs. As a daemon of LXC's own, its first process would
// still be in the cgroup whose controllers are to be handed on.
func (o bootOrder) startLXC(s store) error {
	// -C: what this process was given open is not the box's.
	cmd := exec.Command("lxc-start", "-n", o.ID, "-P", s.boxes(), "-F", "-C", "-o", s.file(o.ID, "lxc.log"), "-l", "NOTICE")
	cmd.Dir = "/"
	done := s.file(o.ID, "links")
	if err := os.Remove(done); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	cmd.Env = append(userTools(s).environment(stageBin), socketVar+"="+o.Socket, doneVar+"="+done)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if o.Unified != "" {
		dir, err := os.Open(o.Unified)
		if err != nil {
			return err
		}
		defer dir.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start lxc-start: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(context.Background(), bootTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("lxc-start: %w", errors.Join(err, errors.New("the box did not start")))
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			return fmt.Errorf("lxc-start: the box did not start in %s", bootTimeout)
		case <-tick.C:
		}
		if _, err := os.Stat(done); err != nil {
			continue // the hook is at work
		}
		if state, _, err := userTools(s).info(ctx, o.ID); err == nil && states[state] == provider.Running {
			return nil
		}
	}
}

// cloneOpened clones the folders as they were when the outside opened them.
func cloneOpened(o bootOrder) (trees []tree, err error) {
	for i, f := range o.Folders {
		mount, err := cloneExactly(o.Opened[i], f.ReadOnly)
		if err != nil {
			closeTrees(trees)
			return nil, &provider.ArgError{Arg: "box.folder." + f.Target, Err: fmt.Errorf("mount %s: %w", f.Source, err)}
		}
		trees = append(trees, tree{f, mount})
	}
	return trees, nil
}

func cloneExactly(o openedFolder, readOnly bool) (*os.File, error) {
	dir, err := unix.Openat2(unix.AT_FDCWD, o.Path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return nil, err
	}
	if st.Dev != o.Dev || st.Ino != o.Inode {
		return nil, errors.New("it was replaced by another meanwhile")
	}
	const flags = unix.AT_EMPTY_PATH | unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC
	fd, err := unix.OpenTree(dir, "", flags)
	recursive := uint(0)
	if errors.Is(err, unix.EINVAL) {
		// Something is mounted in it, which the kernel does not let a user's
		// namespace look behind: it comes along.
		recursive = unix.AT_RECURSIVE
		fd, err = unix.OpenTree(dir, "", flags|recursive)
	}
	if err != nil {
		return nil, fmt.Errorf("clone its mount: %w", err)
	}
	mount := os.NewFile(uintptr(fd), o.Path)
	attr := unix.MountAttr{Attr_set: folderAttrs, Propagation: unix.MS_PRIVATE}
	if readOnly {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|recursive, &attr); err != nil {
		mount.Close()
		return nil, fmt.Errorf("set its mount's flags: %w", err)
	}
	return mount, nil
}

// bindProgram makes a program reachable on the stage, whatever covers the folder
// that it is in.
func bindProgram(program string) error {
	at := filepath.Join(stageBin, "berth")
	f, err := os.OpenFile(at, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	f.Close()
	if err := unix.Mount(program, at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", program, at, err)
	}
	return nil
}
