package lxc

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/provider"
)

//go:embed testdata/churn.py
var churnProgram string

// churner is a box whose files are changed at random.
type churner struct {
	t    *testing.T
	p    *lxcProvider
	spec provider.Spec
}

// begin makes the box, from a checkpoint if key is one, and starts it.
func (c churner) begin(key string) {
	c.t.Helper()
	spec := c.spec
	spec.Checkpoint = key
	if err := c.p.Create(c.t.Context(), spec, nil); err != nil {
		c.t.Fatal(err)
	}
	c.start()
}

func (c churner) start() {
	c.t.Helper()
	if err := c.p.Start(c.t.Context(), c.spec, nil); err != nil {
		c.t.Fatal(err)
	}
	// What its boot writes is written.
	if out, err := inBox(c.t, c.p, c.spec.ID, "until test -S /run/systemd/private; do sleep 0.02; done; systemctl is-system-running --wait"); err != nil {
		c.t.Fatalf("boot: %v %s", err, out)
	}
}

func (c churner) python(args ...string) string {
	c.t.Helper()
	argv := append([]string{"-n", c.spec.ID, "-P", c.p.store.boxes(), "--clear-env", "--", "/usr/bin/python3", "-"}, args...)
	cmd := exec.CommandContext(c.t.Context(), "lxc-attach", argv...)
	cmd.Stdin = strings.NewReader(churnProgram)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("churn.py %v: %v\n%s", args, err, errs.String())
	}
	return string(out)
}

// dump returns all that the box's files are.
func (c churner) dump() string { c.t.Helper(); return c.python("dump") }

func (c churner) churn(seed uint64, count int) {
	c.t.Helper()
	c.python("ops", fmt.Sprint(seed), fmt.Sprint(count))
}

func (c churner) keep(key string) {
	c.t.Helper()
	if err := c.p.Checkpoint(c.t.Context(), c.spec.ID, key, func(e provider.Event) { c.t.Log(e.Text) }); err != nil {
		c.t.Fatal(err)
	}
}

func (c churner) destroy() {
	c.t.Helper()
	if err := c.p.Destroy(c.t.Context(), c.spec.ID, nil); err != nil {
		c.t.Fatal(err)
	}
}

// expect fails if the box's files are not what they are to be.
func (c churner) expect(what, want string) {
	c.t.Helper()
	got := c.dump()
	if got == want {
		return
	}
	diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n"))
	c.t.Errorf("%s: the files differ (-want +got):\n%s", what, diff[:min(len(diff), 4000)])
}

// Whatever happens to the files of a box, a box that is made from a checkpoint
// has them as they were: of the box's first checkpoint, of later ones that hold
// what has changed since, and of one that is made in a box that was made from one.
func TestRealCheckpointProperty(t *testing.T) {
	p, spec := realProvider(t)
	c := churner{t, p, spec}
	seed := rand.Uint64N(10000)
	t.Logf("seed %d", seed)
	const rounds, operations = 4, 150
	c.begin("")
	var dumps []string
	for i := range rounds {
		c.churn(seed+uint64(i), operations)
		dumps = append(dumps, c.dump())
		c.keep(fmt.Sprintf("round-%d", i))
	}
	c.destroy()
	for i, want := range dumps {
		c.begin(fmt.Sprintf("round-%d", i))
		c.expect(fmt.Sprintf("round %d", i), want)
		if i == 2 {
			c.churn(seed+100, operations)
			before := c.dump()
			c.keep("second-life")
			c.churn(seed+101, operations)
			if err := p.Stop(t.Context(), spec.ID, 0, nil); err != nil {
				t.Fatal(err)
			}
			if err := p.Restore(t.Context(), spec, "second-life", nil); err != nil {
				t.Fatal(err)
			}
			c.start()
			c.expect("restored", before)
		}
		c.destroy()
		if t.Failed() {
			t.Fatalf("seed %d, of %d", seed, rounds)
		}
	}
	removeAllKept(t, p)
}

// removeAllKept removes all checkpoints and fails if a layer of theirs is left.
func removeAllKept(t *testing.T, p *lxcProvider) {
	t.Helper()
	all, err := p.Checkpoints(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if err := p.RemoveCheckpoint(t.Context(), c.Key); err != nil {
			t.Error(err)
		}
	}
	if left, _ := os.ReadDir(p.store.keptLayers()); len(left) > 0 {
		t.Errorf("layers left: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(p.store.checkpoints(), "*.json")); len(left) > 0 {
		t.Errorf("checkpoints left: %v", left)
	}
}
