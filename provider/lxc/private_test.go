package lxc

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/provider"
)

// Addresses that users have written down stay theirs in every version.
func TestPrivateChoicesStay(t *testing.T) {
	for subnet, want := range map[string]string{
		"10.60.0.0/24": "10.60.0.75", "fd00:60::/64": "fd00:60::2b4b", "10.60.0.0/30": "10.60.0.2",
	} {
		p := private{Name: "backend", Subnet: netip.MustParsePrefix(subnet)}
		for a := range p.choices("web") {
			if a.String() != want {
				t.Errorf("in %s it is %s, want %s", subnet, a, want)
			}
			break
		}
	}
	for s := range subnetChoices("0123456789abcdef0123456789abcdef", "backend") {
		if s.String() != "10.184.105.0/24" {
			t.Errorf("the subnet is %s", s)
		}
		break
	}
}

func TestPrivateChoices(t *testing.T) {
	p := private{Name: "n", Subnet: netip.MustParsePrefix("10.60.0.0/24")}
	seen := map[netip.Addr]bool{}
	for a := range p.choices("web") {
		if !p.usable(a) || seen[a] {
			t.Errorf("%s is chosen", a)
		}
		seen[a] = true
	}
	if len(seen) != 253 {
		t.Errorf("%d addresses", len(seen))
	}
	for addr, want := range map[string]bool{
		"10.60.0.0": false, "10.60.0.1": false, "10.60.0.2": true, "10.60.0.254": true, "10.60.0.255": false, "10.60.1.2": false,
	} {
		if p.usable(netip.MustParseAddr(addr)) != want {
			t.Errorf("usable(%s) is %v", addr, !want)
		}
	}
	subnets := 0
	for range subnetChoices("x", "n") {
		subnets++
	}
	if subnets != 1024+256+128 {
		t.Errorf("%d subnets", subnets)
	}
}

// A box whose first choice is taken gets the next, and gets it again when both
// are made anew in another order.
func TestPrivateCollision(t *testing.T) {
	s := store{root: t.TempDir()}
	p := private{Bridge: "b", Name: "backend", Subnet: netip.MustParsePrefix("10.60.0.0/24")}
	place := func(r record, want provider.Network) string {
		t.Helper()
		ip, err := s.findAddress(&p, r, want)
		if err != nil {
			t.Fatal(err)
		}
		r.NICs = []nic{{Name: "backend", Bridge: "b", IP: ip}}
		if err := s.save(r); err != nil {
			t.Fatal(err)
		}
		return ip.String()
	}
	db, web := record{ID: "db", Name: "db"}, record{ID: "web", Name: "web"}
	if got := place(db, provider.Network{IP: "10.60.0.75/24"}); got != "10.60.0.75/24" {
		t.Fatalf("got %s", got)
	}
	if got := place(web, provider.Network{}); got != "10.60.0.76/24" {
		t.Errorf("beside a taken address: %s", got)
	}
	if d := cmp.Diff(map[string]string{"web": "10.60.0.76"}, texts(p.Addrs)); d != "" {
		t.Error(d)
	}
	s = store{root: t.TempDir()} // all boxes are gone
	if got := place(web, provider.Network{}); got != "10.60.0.76/24" {
		t.Errorf("made anew: %s", got)
	}
	if got := place(record{ID: "next", Name: "next"}, provider.Network{Reserved: reserved("10.60.0.2", 250)}); got == "10.60.0.76/24" {
		t.Error("a recorded address was given away")
	}
	// Reserved for a box that does not exist yet.
	p.Addrs, s = nil, store{root: t.TempDir()}
	if got := place(web, provider.Network{Reserved: []string{"10.60.0.75", "10.60.0.76"}}); got != "10.60.0.77/24" {
		t.Errorf("reserved addresses were given: %s", got)
	}
	_, err := s.findAddress(&p, record{ID: "last", Name: "last"}, provider.Network{Reserved: reserved("10.60.0.2", 253)})
	if err == nil || !strings.Contains(err.Error(), "all addresses of 10.60.0.0/24 are taken") {
		t.Errorf("got %v", err)
	}
}

func texts(m map[string]netip.Addr) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k] = v.String()
	}
	return out
}

// reserved returns n addresses from the first on.
func reserved(first string, n int) (all []string) {
	for a := netip.MustParseAddr(first); len(all) < n; a = a.Next() {
		all = append(all, a.String())
	}
	return all
}

func TestPrivateSubnet(t *testing.T) {
	s := store{root: t.TempDir()}
	const project = "0123456789abcdef0123456789abcdef"
	choose := func(p private, routes ...string) private {
		t.Helper()
		var all []route
		for _, r := range routes {
			all = append(all, route{dst: netip.MustParsePrefix(r), via: "tun0"})
		}
		if err := s.chooseSubnet(&p, project, all); err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := private{Bridge: "b", Name: "backend"}
	first := choose(p)
	if first.Subnet.String() != "10.184.105.0/24" || first.Second {
		t.Errorf("first choice: %+v", first)
	}
	second := choose(p, "10.184.105.7/32")
	if second.Subnet.String() != "10.184.106.0/24" || !second.Second {
		t.Errorf("beside a route: %+v", second)
	}
	if again := choose(second); again.Subnet != second.Subnet || !again.Second {
		t.Errorf("when the route is gone: %+v", again)
	}
	if vpn := choose(first, "10.0.0.0/8"); !strings.HasPrefix(vpn.Subnet.String(), "172.29.") {
		t.Errorf("beside a VPN with 10/8: %+v", vpn)
	}
	// Another network of the data folder, of halted boxes, keeps its subnet.
	if err := writeJSON(s.privateFile("other", "json"), private{Bridge: "other", Subnet: first.Subnet}); err != nil {
		t.Fatal(err)
	}
	if beside := choose(p); beside.Subnet == first.Subnet {
		t.Errorf("beside another network: %+v", beside)
	}
	err := s.chooseSubnet(&p, project, []route{
		{dst: netip.MustParsePrefix("10.0.0.0/8"), via: "tun0"}, {dst: netip.MustParsePrefix("172.16.0.0/12"), via: "tun0"},
		{dst: netip.MustParsePrefix("192.168.0.0/16"), via: "tun1"},
	})
	if err == nil || !strings.Contains(err.Error(), "192.168.0.0/16 on tun1") {
		t.Errorf("got %v", err)
	}
}

func TestOwnerOf(t *testing.T) {
	p := private{Project: "shop", Name: "backend"}
	if root, private, ours := ownerOf(p.alias("/data:x")); root != "/data:x" || private != `"backend" of project "shop"` || !ours {
		t.Errorf("got %q, %q, %v", root, private, ours)
	}
	if root, private, ours := ownerOf(bridgeAlias("/data")); root != "/data" || private != "" || !ours {
		t.Errorf("got %q, %q, %v", root, private, ours)
	}
	if _, _, ours := ownerOf("mine"); ours {
		t.Error("anything is ours")
	}
}

func TestHostsBlock(t *testing.T) {
	r := record{ID: "db-id", Name: "db", Project: "shop", Hostname: "hull.example", Addr: netip.MustParseAddr("10.177.0.2")}
	got, err := hostsBlock(r, provider.Spec{Hosts: []provider.Host{{IP: "fd00::9", Names: []string{"web", "web.shop.berth"}}}})
	want := "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" +
		"10.177.0.2 hull.example hull db db.shop.berth\nfd00::9 web web.shop.berth\n"
	if err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []provider.Host{{IP: "10.0.0.1", Names: []string{"a b"}}, {IP: "10.0.0.1", Names: []string{"a\n"}}, {IP: "x"}} {
		if _, err := hostsBlock(r, provider.Spec{Hosts: []provider.Host{bad}}); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}
