package lxc

import (
	"testing"
	"time"

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
