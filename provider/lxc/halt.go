package lxc

import (
	"context"
	"time"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// thawEvery is how often a box that is to end is thawed: its root can freeze cgroups
// of its own again and again.
const thawEvery = 100 * time.Millisecond

// halt ends a box that is not stopped, by force after grace; 0 is at once. What is
// left of it then is for settle.
func (p *lxcProvider) halt(ctx context.Context, id, state string, pid int, grace time.Duration) error {
	if states[state] == provider.Frozen {
		if err := p.tools.unfreeze(ctx, id); err != nil {
			return err
		}
	}
	defer p.keepThawed(ctx, id)()
	if grace > 0 && pid != 0 {
		awaitHandler(ctx, pid)
	}
	return p.tools.stop(ctx, id, grace)
}

// keepThawed lets everything in a box run until the returned function is called: a
// frozen process ends only when it runs again.
func (p *lxcProvider) keepThawed(ctx context.Context, id string) (done func()) {
	dirs, err := p.store.cgroups(id, cgroup.Payload(id))
	if err != nil {
		return func() {} // settle looks for them again, and says what is wrong
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(thawEvery)
		defer tick.Stop()
		for {
			thawAll(dirs)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() { cancel(); <-ended }
}

func thawAll(dirs []string) {
	for _, d := range dirs {
		cgroup.Thaw(d)
	}
}

// patience is how long a monitor is given to end by itself.
const patience = 100 * time.Millisecond

// killer returns what ends the processes of a stopped box once they have had the
// time to end by themselves; nil until then.
func (p *lxcProvider) killer(waited time.Duration) func(pid int) {
	if waited <= patience {
		return nil
	}
	return p.mode.kill
}
