package lxc

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/berth-dev/berth/provider"
)

func itoa(n int) string { return strconv.Itoa(n) }

// start creates and starts a box.
func start(t *testing.T, p *lxcProvider, spec provider.Spec) provider.Box {
	t.Helper()
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	return inspect(t, p, spec)
}

func inspect(t *testing.T, p *lxcProvider, spec provider.Spec) provider.Box {
	t.Helper()
	b, err := p.Inspect(t.Context(), spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// addr returns a box's address in a network.
func addr(b provider.Box, network string) string {
	for _, n := range b.Networks {
		if n.Name == network {
			return netip.MustParsePrefix(n.IP).Addr().String()
		}
	}
	return ""
}

// reaches reports whether a box reaches an address.
func reaches(t *testing.T, p *lxcProvider, spec provider.Spec, to string) bool {
	t.Helper()
	_, err := inBox(t, p, spec.ID, "ping -c1 -W1 "+to)
	return err == nil
}

func backend(ip string) []provider.Network {
	return []provider.Network{{Name: "backend", IP: ip, Subnet: "10.60.0.0/24"}}
}

func TestRealPrivateNetwork(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	p := realStore(t, bookworm)
	db, web := realSpec(t, p, "shop", "db", bookworm), realSpec(t, p, "shop", "web", bookworm)
	db.Networks = append(backend("10.60.0.10/24"), provider.Network{Name: "six", IP: "fd00:60::10/64"}, provider.Network{Name: "own"})
	web.Networks = []provider.Network{
		{Name: "six", Subnet: "fd00:60::/64", Reserved: []string{"fd00:60::10"}},
		{Name: "own"},
		{Name: "backend", Subnet: "10.60.0.0/24", Reserved: []string{"10.60.0.10"}},
	}
	first := start(t, p, db)
	second := start(t, p, web)
	for _, to := range []string{"10.60.0.10", "fd00:60::10", addr(first, "own")} {
		if !reaches(t, p, web, to) {
			t.Errorf("web does not reach db at %s", to)
		}
	}
	for _, to := range []string{addr(second, "backend"), addr(second, "six"), addr(second, "own")} {
		if !reaches(t, p, db, to) {
			t.Errorf("db does not reach web at %q", to)
		}
	}
	for _, to := range []string{"10.60.0.10", "fd00:60::10", addr(second, "own")} {
		if !eventually(func() bool {
			c, err := net.DialTimeout("tcp", net.JoinHostPort(to, "22"), time.Second)
			if err == nil {
				c.Close()
			}
			return err == nil
		}) {
			t.Errorf("the host does not reach a box at %q", to)
		}
	}
	t.Run("addresses stay", func(t *testing.T) {
		want := second.Networks
		// A reboot from inside, a halt, and a box made anew after all are gone.
		if _, err := inBox(t, p, web.ID, "reboot"); err != nil {
			t.Log(err) // lxc-attach is killed with the box
		}
		if !eventually(func() bool { return reaches(t, p, web, "10.60.0.10") }) {
			t.Error("web does not reach db after a reboot")
		}
		for _, s := range []provider.Spec{web, db} {
			if err := p.Stop(t.Context(), s.ID, time.Minute, nil); err != nil {
				t.Fatal(err)
			}
		}
		if got := bridges(t); len(got) != 1 || !strings.HasPrefix(got[0], "berth") || strings.HasPrefix(got[0], "berthn") {
			t.Errorf("bridges of halted boxes are %v", got)
		}
		for _, s := range []provider.Spec{web, db} {
			if err := p.Destroy(t.Context(), s.ID, nil); err != nil {
				t.Fatal(err)
			}
		}
		if got, rules := bridges(t), host(t, "nft list ruleset"); len(got) != 0 || rules != "" {
			t.Errorf("left are bridges %v and rules:\n%s", got, rules)
		}
		if got := start(t, p, web).Networks; !equalNetworks(got, want) {
			t.Errorf("made anew it has %v, and had %v", got, want)
		}
	})
}

func equalNetworks(a, b []provider.Network) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || a[i].IP != b[i].IP {
			return false
		}
	}
	return true
}

func bridges(t *testing.T) []string {
	t.Helper()
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range links {
		if l.Type() == "bridge" {
			names = append(names, l.Attrs().Name)
		}
	}
	return names
}

// A box of another project tries everything that its root can.
func TestRealPrivateIsolation(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	p := realStore(t, bookworm)
	db, evil := realSpec(t, p, "shop", "db", bookworm), realSpec(t, p, "other", "evil", bookworm)
	db.Networks = append(backend("10.60.0.10/24"), provider.Network{Name: "six", IP: "fd00:60::10/64"})
	evil.Networks = []provider.Network{{Name: "backend", IP: "10.61.0.10/24"}}
	target := start(t, p, db)
	start(t, p, evil)
	main, _, _ := net.SplitHostPort(target.SSHAddr)
	gateway, err := p.store.load(evil.ID)
	if err != nil {
		t.Fatal(err)
	}
	n, _, err := p.store.loadNetwork()
	if err != nil {
		t.Fatal(err)
	}
	local, err := inBox(t, p, db.ID, "ip -6 -br addr show dev eth0 | grep -o 'fe80[^/]*'")
	if err != nil {
		t.Fatal(local, err)
	}
	t.Log("evil is", gateway.Addr, "db is", main, local)
	routes := map[string]string{
		"the default route":                  ":",
		"db's main address":                  "ip route add 10.60.0.10 via " + main,
		"the main bridge":                    "ip route add 10.60.0.10 dev eth0",
		"the host":                           "ip route add 10.60.0.10 via " + n.gateway().String(),
		"the host, from its private network": "ip route add 10.60.0.10 via 10.61.0.1",
		"db's link-local address":            "ip -6 route add fd00:60::10 via " + local + " dev eth0",
		"the main bridge, IPv6":              "ip -6 route add fd00:60::10 dev eth0",
	}
	attempt := func(by, route string) bool {
		to := "10.60.0.10"
		if strings.Contains(route, "-6") {
			to = "fd00:60::10"
		}
		out, err := inBox(t, p, evil.ID, route+" && { ping -c1 -W0.3 "+to+" || timeout 0.3 bash -c '</dev/tcp/"+to+"/22'; }; s=$?; "+
			"ip route del 10.60.0.10 2>/dev/null; ip -6 route del fd00:60::10 2>/dev/null; exit $s")
		if strings.Contains(out, "Error") || strings.Contains(out, "RTNETLINK") {
			t.Errorf("by %s: %s", by, out)
		}
		return err == nil
	}
	// With and without the kernel showing bridged frames to iptables, as Docker
	// makes it.
	for _, nf := range []string{"1", "0"} {
		for _, name := range []string{"iptables", "ip6tables"} {
			_ = os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-"+name, []byte(nf), 0) // no such module: as "0"
		}
		for by, route := range routes {
			if attempt(by, route) {
				t.Errorf("a box of another project reaches db by %s (bridge-nf-call %s)", by, nf)
			}
		}
		if !reaches(t, p, evil, main) {
			t.Error("boxes do not reach each other's main addresses: the test proves nothing")
		}
	}
	for _, to := range []string{"10.60.0.1", "fd00:60::1"} {
		if reaches(t, p, evil, to) {
			t.Errorf("a box of another project reaches the host at %s", to)
		}
	}
	// It is the tables that do it.
	host(t, "nft flush ruleset")
	for _, by := range []string{"db's main address", "the main bridge", "the host", "db's link-local address"} {
		if !attempt(by, routes[by]) {
			t.Errorf("without the tables, db cannot be reached by %s: the test proves nothing", by)
		}
	}
	isolatedAgain(t, p, evil, func() bool { return attempt("db's main address", routes["db's main address"]) })
}

// isolatedAgain starts a box in the network whose tables are gone: they come back,
// and the network stays as it is.
func isolatedAgain(t *testing.T, p *lxcProvider, evil provider.Spec, attempt func() bool) {
	t.Helper()
	if err := p.Stop(t.Context(), evil.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	web := realSpec(t, p, "shop", "web", bookworm)
	web.Networks = []provider.Network{{Name: "backend", IP: "10.60.0.11/24"}, {Name: "six", IP: "fd00:60::11/64"}}
	start(t, p, web)
	start(t, p, evil)
	if !reaches(t, p, web, "10.60.0.10") || attempt() {
		t.Error("a network whose tables were flushed is not healed by the next start in it")
	}
}

// What cannot be had says whose it is.
func TestRealPrivateTrouble(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	p := realStore(t, bookworm)
	db := realSpec(t, p, "shop", "db", bookworm)
	db.Networks = backend("10.60.0.10/24")
	fails := func(spec provider.Spec, parts ...string) {
		t.Helper()
		if err := p.Create(t.Context(), spec, nil); err != nil {
			t.Fatal(err)
		}
		err := p.Start(t.Context(), spec, nil)
		var bad *provider.ArgError
		if !errors.As(err, &bad) || bad.Arg != "box.network."+spec.Networks[0].Name {
			t.Errorf("the Envfile's line is not blamed for %v", err)
		}
		for _, part := range parts {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("got %v, and want %q in it", err, part)
			}
		}
	}
	host(t, "ip link add tun7 type bridge && ip link set tun7 up && ip route add 10.60.0.0/16 dev tun7")
	fails(db, `network "backend"`, "10.60.0.0/24", "10.60.0.0/16 on tun7")
	host(t, "ip link del tun7")
	start(t, p, db)

	same := realSpec(t, p, "shop", "same", bookworm)
	same.Networks = backend("10.60.0.10/24")
	fails(same, "10.60.0.10", db.ID, "which runs")

	grown := realSpec(t, p, "shop", "grown", bookworm)
	grown.Networks = []provider.Network{{Name: "backend", IP: "10.60.4.9/22"}}
	fails(grown, "10.60.0.0/24", "10.60.4.0/22", db.ID)

	other := realSpec(t, p, "other", "db", bookworm)
	other.Networks = []provider.Network{{Name: "private", IP: "10.60.0.130/25"}}
	fails(other, `network "private"`, "10.60.0.128/25", `"backend" of project "shop"`)
	// Once its boxes are halted, the network is free.
	if err := p.Stop(t.Context(), db.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	start(t, p, other)
	fails(db, `"private" of project "other"`)
}
