package lxc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// standStill freezes a running box until the returned function is called. A
// helper that waits for the end of this process lets the box go on if that comes
// first, however it comes: a box does not stay frozen because berth was killed.
//
// The kernel is asked directly: on cgroup v1 lxc-freeze looks every second
// whether the box is frozen by now, which takes a millisecond.
func (p *lxcProvider) standStill(ctx context.Context, id string, pid int) (goOn func() (time.Duration, error), err error) {
	box, err := cgroup.Open(id, pid)
	if err != nil {
		return nil, err
	}
	f, err := box.Freezer()
	if err != nil {
		return nil, fmt.Errorf("make the box stand still: %w", err)
	}
	helper := exec.Command("/bin/sh", "-c", `read _; echo "$0" >"$1"`, f.Run, f.File)
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
		thawErr := os.WriteFile(f.File, []byte(f.Run), 0)
		took := time.Since(begin)
		lifeline.Close()
		if err := helper.Wait(); err != nil && thawErr != nil {
			return took, fmt.Errorf("let the box go on: %w (berth resume does it)", thawErr)
		}
		return took, nil
	}
	if err := f.Stop(ctx); err != nil {
		_, _ = goOn() // err says more
		return nil, fmt.Errorf("make the box stand still: %w", err)
	}
	return goOn, nil
}
