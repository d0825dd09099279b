package lxc

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

// freezeSelf has the box's first process freeze in a cgroup of the box's own, and
// another that freezes it again whenever it runs.
const freezeSelf = `cd /sys/fs/cgroup/freezer && mkdir -p x/y && echo 1 >x/y/cgroup.procs && echo FROZEN >x/y/freezer.state
until grep -q FROZEN x/y/freezer.state; do sleep 0.02; done
setsid sh -c 'while :; do echo FROZEN >x/freezer.state; echo FROZEN >x/y/freezer.state; done' >/dev/null 2>&1 </dev/null &`

// A box whose root freezes what is in it can be halted and destroyed.
func TestRealFrozenByItself(t *testing.T) {
	if _, err := os.Stat("/sys/fs/cgroup/freezer"); err != nil {
		t.Skip("cgroup v2: what is frozen ends when it is killed")
	}
	p, spec := realProvider(t)
	t.Cleanup(func() { // for the mend that is missing
		dirs, _ := cgroup.Find([]string{cgroup.Payload(spec.ID)})
		thawAll(dirs)
	})
	c := churner{t, p, spec}
	ends := map[string]func(context.Context) error{
		"halt by force": func(ctx context.Context) error { return p.Stop(ctx, spec.ID, 0, nil) },
		"halt":          func(ctx context.Context) error { return p.Stop(ctx, spec.ID, time.Second, nil) },
		"destroy":       func(ctx context.Context) error { return p.Destroy(ctx, spec.ID, nil) },
	}
	for _, name := range []string{"halt by force", "halt", "destroy"} {
		c.begin("")
		c.must(freezeSelf)
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		begin := time.Now()
		if err := ends[name](ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		t.Logf("%s took %s", name, time.Since(begin).Round(time.Millisecond))
	}
}
