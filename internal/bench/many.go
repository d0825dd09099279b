package main

import (
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// manyRuns is how often what concerns many boxes is done: it takes long.
const manyRuns = 5

// many measures n boxes at once, beside n bare containers.
func (b *bench) many(n int) error {
	if err := b.writeEnvfile(n); err != nil {
		return err
	}
	defer func(runs int) { b.runs = runs }(b.runs)
	b.runs = min(b.runs, manyRuns)
	up, destroy := b.command("up"), b.command("destroy", "-f")
	start := fmt.Sprintf("lxc-start of %d until all sshds listen", n)
	login := fmt.Sprintf("lxc-start of %d, then ssh box true in all", n)
	upAndRun := func() error {
		if err := up(); err != nil {
			return err
		}
		return atOnce(n, func(i int) error { return b.command("ssh", fmt.Sprintf("b%d", i), "-c", "true")() })
	}
	for _, s := range []struct {
		what, floor      string
		before, f, after func() error
	}{
		{fmt.Sprintf("up of %d new boxes, then ssh -c true in all", n), login, nil, upAndRun, destroy},
		{fmt.Sprintf("up of %d new boxes", n), start, nil, up, destroy},
		{fmt.Sprintf("destroy of %d boxes", n), "", up, destroy, nil},
	} {
		if err := b.repeat(s.what, s.floor, s.before, s.f, s.after); err != nil {
			return err
		}
	}
	if err := b.manyFloor(n, start, login, up); err != nil {
		return err
	}
	if err := up(); err != nil {
		return err
	}
	if err := b.repeat(fmt.Sprintf("status of %d boxes", n), "", nil, b.command("status"), nil); err != nil {
		return err
	}
	return destroy()
}

// manyFloor measures the bare containers of halted boxes: their start alone, and
// with a login to each.
func (b *bench) manyFloor(n int, start, login string, up func() error) (err error) {
	if err := up(); err != nil {
		return err
	}
	boxes, err := b.running()
	if err != nil {
		return err
	}
	if err := b.writeSSHConfig(); err != nil {
		return err
	}
	if _, err := b.output("halt"); err != nil {
		return err
	}
	var bare []*bareBox
	defer func() {
		for _, x := range bare {
			err = errors.Join(err, x.remove())
		}
	}()
	for _, box := range boxes {
		x, err := b.newBareBox(box.ID, box.Address)
		if err != nil {
			return err
		}
		bare = append(bare, x)
	}
	startAll := func() error { return atOnce(n, func(i int) error { return bare[i].start() }) }
	killAll := func() error { return atOnce(n, func(i int) error { return bare[i].kill() }) }
	startAndLogin := func() error { return errors.Join(startAll(), atOnce(n, b.sshTo)) }
	if err := b.repeat(start, "", nil, startAll, killAll); err != nil {
		return err
	}
	return b.repeat(login, "", nil, startAndLogin, killAll)
}

// atOnce calls f for 0 to n-1 at the same time.
func atOnce(n int, f func(i int) error) error {
	var g errgroup.Group
	for i := range n {
		g.Go(func() error { return f(i) })
	}
	return g.Wait()
}
