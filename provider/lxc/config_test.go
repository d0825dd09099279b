package lxc

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/provider/lxc/cgroup"
)

func sampleConfig() boxConfig {
	return boxConfig{
		record:   record{ID: "shop-web-1a2b3c4d", IDBase: 1100000000, Addr: netip.MustParseAddr("10.177.0.2")},
		net:      network{Bridge: "berth0", Subnet: netip.MustParsePrefix("10.177.0.0/22")},
		hostname: "web",
		limits: []cgroup.Setting{
			{File: "memory.max", Value: "536870912", V2: true}, {File: "pids.max", Value: "400"},
		},
		nesting: true, apparmor: "generated", mode: rootMode{},
		raw: map[string]string{"lxc.prlimit.nofile": "1024", "lxc.environment": "A=b"},
		dir: "/data/boxes/shop-web-1a2b3c4d",
	}
}

func TestConfigText(t *testing.T) {
	got, err := sampleConfig().text()
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/config.golden"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("UPDATE=1 accepts this:\n%s", d)
	}
}

func TestConfigRefusesLineBreaks(t *testing.T) {
	c := sampleConfig()
	c.hostname = "web\nlxc.hook.pre-start = /bin/sh"
	if _, err := c.text(); err == nil || !strings.Contains(err.Error(), "lxc.uts.name has a line break") {
		t.Errorf("got %v", err)
	}
}

func TestLinkNameFits(t *testing.T) {
	if n := linkName(strings.Repeat("x", 60)); len(n) > 15 {
		t.Errorf("%q is longer than IFNAMSIZ allows", n)
	}
}
