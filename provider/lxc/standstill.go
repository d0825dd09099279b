package lxc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stillTimeout bounds the wait for a box to stand still: a process that sleeps
// in the kernel, on a network filesystem say, is frozen when it wakes up.
const stillTimeout = 10 * time.Second

// standStill freezes a running box until the returned function is called. A
// helper that waits for the end of this process lets the box go on if that comes
// first, however it comes: a box does not stay frozen because berth was killed.
//
// The kernel is asked directly: on cgroup v1 lxc-freeze looks every second
// whether the box is frozen by now, which takes a millisecond.
func (p *lxcProvider) standStill(ctx context.Context, id string, pid int) (goOn func() (time.Duration, error), err error) {
	f, err := freezerOf(id, pid)
	if err != nil {
		return nil, err
	}
	helper := exec.Command("/bin/sh", "-c", `read _; echo "$0" >"$1"`, f.run, f.file)
	helper.Dir = "/"
	helper.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is not for it
	lifeline, err := helper.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := helper.Start(); err != nil {
		return nil, fmt.Errorf("start the helper that lets the box go on: %w", err)
	}
	begin := time.Now()
	goOn = func() (time.Duration, error) {
		thawErr := os.WriteFile(f.file, []byte(f.run), 0)
		took := time.Since(begin)
		lifeline.Close()
		if err := helper.Wait(); err != nil && thawErr != nil {
			return took, fmt.Errorf("let the box go on: %w (berth resume does it)", thawErr)
		}
		return took, nil
	}
	if err := f.stop(ctx); err != nil {
		_, _ = goOn() // err says more
		return nil, fmt.Errorf("make the box stand still: %w", err)
	}
	return goOn, nil
}

// freezer is how the kernel freezes a cgroup: freezer.state in v1, cgroup.freeze
// in v2 (cgroup-v1/freezer-subsystem.rst, cgroup-v2.rst).
type freezer struct {
	file      string // takes what follows
	halt, run string
	state     string // the file that tells
	frozen    string // the line in it that says so
}

// freezerOf returns how a running box is frozen.
func freezerOf(id string, pid int) (freezer, error) {
	c, err := detectCgroups()
	if err != nil {
		return freezer{}, err
	}
	dirs, err := c.dirs(payloadCgroup(id), pid)
	if err != nil {
		return freezer{}, err
	}
	if dir := dirs["freezer"]; dir != "" {
		file := filepath.Join(dir, "freezer.state")
		return freezer{file, "FROZEN", "THAWED", file, "FROZEN"}, nil
	}
	for controller, dir := range dirs {
		if c[controller].v2 {
			return freezer{filepath.Join(dir, "cgroup.freeze"), "1", "0", filepath.Join(dir, "cgroup.events"), "frozen 1"}, nil
		}
	}
	return freezer{}, fmt.Errorf("make the box stand still: this host has no freezer among its cgroups")
}

func (f freezer) stop(ctx context.Context) error {
	if err := os.WriteFile(f.file, []byte(f.halt), 0); err != nil {
		return err
	}
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(f.state)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			if strings.TrimSpace(line) == f.frozen {
				return nil
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Since(begin) > stillTimeout {
			return fmt.Errorf("it does not come to rest within %s", stillTimeout)
		}
	}
}
