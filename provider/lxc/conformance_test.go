package lxc

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/providertest"
)

// The provider keeps the contract, with real boxes.
func TestRealConformance(t *testing.T) {
	p, spec := realProvider(t)
	providertest.Run(t, func(*testing.T) provider.Provider { return Open(p.store.root) }, spec)
}

// Every suite that the provider offers makes a box that boots without a failed
// unit, whatever systemd thinks of this host's cgroups, and halts by itself.
func TestRealSuites(t *testing.T) {
	for _, suite := range suites {
		t.Run(suite, func(t *testing.T) {
			if suite != "bookworm" && testing.Short() {
				t.Skip("building an image takes long")
			}
			testSuite(t, suite)
		})
	}
}

func testSuite(t *testing.T, suite string) {
	p, spec := realProviderOf(t, "debian:"+suite)
	spec.Resources.Memory = 256 << 20
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if out, err := inBox(t, p, spec.ID, "until test -S /run/systemd/private; do sleep 0.02; done; systemctl is-system-running --wait; systemctl --failed --no-legend"); err != nil || out != "running" {
		t.Errorf("the box is %q, %v", out, err)
	}
	if out, err := inBox(t, p, spec.ID, "grep -c "+suite+" /etc/os-release"); err != nil {
		t.Errorf("its release is another: %s, %v", out, err)
	}
	begin := time.Now()
	if err := p.Stop(t.Context(), spec.ID, time.Minute, nil); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it took %s to halt: the box does not listen to the signal", took)
	}
}

// A running box takes new limits, gives up those that are not wanted any more,
// and keeps the old ones when one cannot be set.
func TestRealResize(t *testing.T) {
	p, spec := realProvider(t)
	swap := int64(0)
	spec.Resources = provider.Resources{CPUs: 1, CPUSet: "0", Memory: 256 << 20, Swap: &swap, PIDs: 300, IO: provider.IO{Read: 10 << 20}}
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Resize(t.Context(), spec.ID, spec.Resources); !errors.Is(err, provider.ErrNotRunning) {
		t.Errorf("a stopped box: %v", err)
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	limits := func() provider.Resources {
		t.Helper()
		b, err := p.Inspect(t.Context(), spec.ID)
		if err != nil {
			t.Fatal(err)
		}
		return b.Limits
	}
	for _, r := range []provider.Resources{
		{CPUs: 0.5, CPUWeight: 300, Memory: 512 << 20, PIDs: 400},
		{Memory: 1 << 30, Swap: &swap},
		{CPUs: 2, CPUWeight: 100, Memory: 200 << 20, Swap: &swap, PIDs: 250, IO: provider.IO{Write: 20 << 20}},
	} {
		if err := p.Resize(t.Context(), spec.ID, r); err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		if r.CPUWeight == 0 {
			r.CPUWeight = 100 // the kernel's default
		}
		got := limits()
		got.CPUSet, got.IO.Weight = r.CPUSet, r.IO.Weight // all CPUs and the default weight, as on this host
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	// A box that has only just begun to boot uses next to nothing.
	if out, err := inBox(t, p, spec.ID, "until test -S /run/systemd/private; do sleep 0.02; done; systemctl is-system-running --wait"); err != nil {
		t.Fatalf("the boot: %s, %v", out, err)
	}
	before := limits()
	for _, r := range []provider.Resources{{CPUs: 1, CPUSet: "4000"}, {Memory: 1 << 20}} {
		var arg *provider.ArgError
		if err := p.Resize(t.Context(), spec.ID, r); !errors.As(err, &arg) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if diff := cmp.Diff(before, limits()); diff != "" {
		t.Errorf("after a resize that failed (-want +got):\n%s", diff)
	}
}

// A suspended box keeps its memory, uses no CPU, and can be resumed, halted and
// destroyed.
func TestRealSuspend(t *testing.T) {
	p, spec := realProvider(t)
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Suspend(t.Context(), spec.ID); !errors.Is(err, provider.ErrNotRunning) {
		t.Errorf("a stopped box: %v", err)
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	state := func(want provider.State) {
		t.Helper()
		if b, err := p.Inspect(t.Context(), spec.ID); err != nil || b.State != want {
			t.Errorf("the box is %s, %v; want %s", b.State, err, want)
		}
	}
	for _, call := range []struct {
		name string
		do   func(context.Context, string) error
		want provider.State
	}{
		{"suspend", p.Suspend, provider.Frozen},
		{"suspend again", p.Suspend, provider.Frozen},
		{"resume", p.Resume, provider.Running},
		{"resume again", p.Resume, provider.Running},
		{"suspend once more", p.Suspend, provider.Frozen},
	} {
		if err := call.do(t.Context(), spec.ID); err != nil {
			t.Errorf("%s: %v", call.name, err)
		}
		state(call.want)
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Error(err)
	}
	begin := time.Now()
	if err := p.Stop(t.Context(), spec.ID, time.Minute, nil); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("a frozen box took %s to halt", took)
	}
	state(provider.Stopped)
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Suspend(t.Context(), spec.ID); err != nil {
		t.Error(err)
	}
	// The end of the test destroys a frozen box.
}
