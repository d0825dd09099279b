package lxc

import (
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/berth/provider/lxc/firewall"
)

// setup notices whatever of a user's network somebody took away, and makes it
// again; when it is removed, nothing is left.
func TestRealUserNetwork(t *testing.T) {
	if !ownNetworkWith(t) {
		return
	}
	host(t, forwardDrop)
	before := host(t, "nft list ruleset")
	if err := testUser.Make(); err != nil {
		t.Fatal(err)
	}
	const tables = "firewall tables berth-berthu4711"
	for _, c := range []struct {
		harm string
		want []string
	}{
		{"true", nil},
		{"nft delete table ip berth-berthu4711", []string{tables}},
		{"nft delete table bridge berth-berthu4711", []string{tables}},
		{"ip link set berthu4711p1 down", []string{"bridge berthu4711p1 (it is down)"}},
		// ufw enable, ufw reload
		{"nft flush chain ip filter FORWARD; nft flush chain ip6 filter FORWARD", []string{
			"a rule for berthu4711 in iptables' chain FORWARD", "a rule for berthu4711p1 in iptables' chain FORWARD",
			"a rule for berthu4711p2 in iptables' chain FORWARD"}},
		// Docker, which is started later
		{"nft add chain ip filter DOCKER-USER; nft flush chain ip6 filter FORWARD", []string{
			"a rule for berthu4711 in iptables' chain FORWARD", "a rule for berthu4711p1 in iptables' chain FORWARD",
			"a rule for berthu4711p2 in iptables' chain FORWARD"}},
	} {
		host(t, c.harm)
		if missing := testUser.Missing(); !slices.Equal(missing, c.want) {
			t.Errorf("after %s: missing are %q, want %q", c.harm, missing, c.want)
		}
		if err := testUser.Make(); err != nil {
			t.Fatal(err)
		}
		if missing := testUser.Missing(); len(missing) > 0 {
			t.Errorf("after %s, made again: missing are %q", c.harm, missing)
		}
	}
	if out := host(t, "nft list chain ip6 filter FORWARD"); !strings.Contains(out, `comment "berth:berthu4711p1"`) || strings.Contains(out, `"berth:berthu4711"`) {
		t.Errorf("IPv6, which only private networks have:\n%s", out)
	}
	if err := testUser.Remove(); err != nil {
		t.Fatal(err)
	}
	host(t, "nft delete chain ip filter DOCKER-USER")
	if after := host(t, "nft list ruleset"); after != before {
		t.Errorf("once it is removed, the firewall is\n%s\nand was\n%s", after, before)
	}
}

// The chain FORWARD counts as seen to only for a bridge that has a rule there.
func TestRealBarriers(t *testing.T) {
	if !ownNetworkWith(t) {
		return
	}
	isBarrier := func() bool {
		all, err := firewall.Barriers(testUser.Bridge)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(all, firewall.Barrier.IsForward)
	}
	if err := testUser.Make(); err != nil {
		t.Fatal(err)
	}
	if isBarrier() || len(usersBarriers([]UserNetwork{testUser})) != 0 {
		t.Error("FORWARD is in the way, which is not there")
	}
	host(t, forwardDrop)
	all := usersBarriers([]UserNetwork{testUser})
	if !isBarrier() || len(all) != 1 || !strings.Contains(all[0].Name, "berthu4711, the bridge of anna") {
		t.Errorf("FORWARD drops what comes from the bridge; told is %v", all)
	}
	if err := testUser.Make(); err != nil {
		t.Fatal(err)
	}
	if isBarrier() || len(usersBarriers([]UserNetwork{testUser})) != 0 {
		t.Error("FORWARD is in the way, though a rule lets the bridge through")
	}
}
