package lxc

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider"
)

// forwardDrop is what iptables-nft makes of "iptables -P FORWARD DROP".
const forwardDrop = `nft -f - <<-E
	table ip filter {
		chain INPUT { type filter hook input priority 0; policy drop; ct state established,related accept; }
		chain FORWARD { type filter hook forward priority 0; policy drop; }
	}
	table ip6 filter {
		chain FORWARD { type filter hook forward priority 0; policy drop; }
	}
	E`

// restart starts a box again and returns what it was warned of.
func restart(t *testing.T, p *lxcProvider, spec provider.Spec) (warnings string) {
	t.Helper()
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(t.Context(), spec.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	report := func(e provider.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Warning {
			warnings += e.Text + "\n"
		}
	}
	if err := p.Start(t.Context(), spec, report); err != nil {
		t.Fatal(err)
	}
	return warnings
}

// Docker's and ufw's FORWARD drop: boxes reach the world and each other, and no
// rule of ours is left when they are gone.
func TestRealForwardDrop(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	world(t)
	p := realStore(t, bookworm)
	db, web := realSpec(t, p, "shop", "db", bookworm), realSpec(t, p, "shop", "web", bookworm)
	db.Networks = append(backend("10.60.0.10/24"), provider.Network{Name: "six", IP: "fd00:60::10/64"})
	web.Networks = append(backend("10.60.0.11/24"), provider.Network{Name: "six", IP: "fd00:60::11/64"})
	all := func(when string) {
		t.Helper()
		for _, to := range []string{worldAddr, "10.60.0.10", "fd00:60::10", inspectAddr(t, p, db)} {
			if !reaches(t, p, web, to) {
				t.Errorf("%s: web does not reach %s", when, to)
			}
		}
	}
	restart(t, p, db)
	restart(t, p, web)
	all("without a firewall")
	host(t, forwardDrop)
	if reaches(t, p, web, worldAddr) {
		t.Error("the firewall drops nothing: the test proves nothing")
	}
	if w := restart(t, p, web); w != "" {
		t.Errorf("warned of a chain that was seen to: %s", w)
	}
	all("with FORWARD's policy drop")
	for _, ip := range []string{"10.60.0.11", inspectAddr(t, p, web)} { // INPUT lets answers in, as ufw does
		if !eventually(func() bool {
			c, err := net.DialTimeout("tcp", net.JoinHostPort(ip, "22"), time.Second)
			if err == nil {
				c.Close()
			}
			return err == nil
		}) {
			t.Errorf("the host does not reach web at %s", ip)
		}
	}
	rules := listForward(t)
	for _, want := range []string{`iifname "berth0"`, `comment "berth:berth0"`, `iifname "` + privateBridge(p.store.root, web.ProjectID, "backend") + `"`} {
		if !strings.Contains(rules, want) {
			t.Errorf("%s is not in\n%s", want, rules)
		}
	}
	if ok, _ := testenv.Has("iptables-nft"); ok { // it refuses to list what it does not understand
		if list := host(t, "iptables-nft -S FORWARD"); !strings.Contains(list, "--ctstate RELATED,ESTABLISHED") || !strings.Contains(list, "-i berth0") {
			t.Errorf("iptables lists\n%s", list)
		}
	}
	nobodyGetsIn(t, inspectAddr(t, p, web))
	restart(t, p, web)
	if again := listForward(t); again != rules {
		t.Errorf("another start changes the rules to\n%s", again)
	}
	// Docker is started later: it has a chain for others.
	host(t, "nft add chain ip filter DOCKER-USER; nft insert rule ip filter FORWARD jump DOCKER-USER")
	restart(t, p, web)
	if user := host(t, "nft list chain ip filter DOCKER-USER"); !strings.Contains(user, `comment "berth:berth0"`) {
		t.Errorf("no rules in Docker's chain:\n%s", user)
	}
	all("with DOCKER-USER")
	for _, s := range []provider.Spec{db, web} {
		if err := p.Destroy(t.Context(), s.ID, nil); err != nil {
			t.Fatal(err)
		}
	}
	if left := host(t, "nft list ruleset"); strings.Contains(left, "berth") || !strings.Contains(left, "policy drop") {
		t.Errorf("left of the firewall is\n%s", left)
	}
}

// nobodyGetsIn tries to reach a box from outside, which our rules must not allow.
func nobodyGetsIn(t *testing.T, addr string) {
	t.Helper()
	host(t, "nsenter -t $WORLD -n ip route add 10.176.0.0/12 via 198.51.100.1")
	fromWorld := func() string {
		return host(t, "nsenter -t $WORLD -n timeout 0.5 bash -c '</dev/tcp/"+addr+"/22' 2>/dev/null && echo in || echo out")
	}
	if fromWorld() != "out" {
		t.Error("the world reaches a box that FORWARD's policy kept it from")
	}
	host(t, "nft add rule ip filter FORWARD accept")
	if !eventually(func() bool { return fromWorld() == "in" }) {
		t.Error("the world never reaches a box: the test proves nothing")
	}
	host(t, "nft delete rule ip filter FORWARD handle $(nft -a list chain ip filter FORWARD | sed -n 's/^[[:space:]]*accept # handle //p')")
}

var counters = regexp.MustCompile(`counter packets \d+ bytes \d+`)

func listForward(t *testing.T) string {
	t.Helper()
	return counters.ReplaceAllString(host(t, "nft list chain ip filter FORWARD"), "counter")
}

func inspectAddr(t *testing.T, p *lxcProvider, spec provider.Spec) string {
	return strings.TrimSuffix(inspect(t, p, spec).SSHAddr, ":22")
}

// A drop in a chain that is nobody's to change is warned of, with what helps.
func TestRealForeignDrop(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	world(t)
	p := realStore(t, bookworm)
	box := realSpec(t, p, "shop", "box", bookworm)
	host(t, `nft add table inet fw; nft 'add chain inet fw pass { type filter hook forward priority 0; policy drop; }'`)
	w := restart(t, p, box)
	if reaches(t, p, box, worldAddr) || !strings.Contains(w, `"pass" of the table "fw"`) {
		t.Fatalf("no warning, but %q", w)
	}
	_, fix, _ := strings.Cut(w, "Let the bridge through: ")
	host(t, fix)
	if !reaches(t, p, box, worldAddr) {
		t.Errorf("what the warning says does not help: %s", fix)
	}
	if w := restart(t, p, box); w != "" {
		t.Errorf("it is warned of still: %s", w)
	}
	// firewalld rejects at the end of its chain.
	host(t, `nft flush ruleset; nft add table inet firewalld
nft 'add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; }'
nft add rule inet firewalld filter_FORWARD ct state established,related accept
nft add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited`)
	if w := restart(t, p, box); !strings.Contains(w, "firewall-cmd --permanent --zone=trusted --add-interface=berth0") {
		t.Errorf("warned of %q", w)
	}
}

// The old iptables has tables of its own, which only its program can change.
func TestRealLegacyDrop(t *testing.T) {
	testenv.NeedTool(t, "iptables-legacy")
	if !ownNetwork(t) {
		return
	}
	world(t)
	p := realStore(t, bookworm)
	box := realSpec(t, p, "shop", "box", bookworm)
	host(t, "iptables-legacy -P FORWARD DROP")
	if w := restart(t, p, box); w != "" {
		t.Errorf("warned of %q", w)
	}
	if !reaches(t, p, box, worldAddr) {
		t.Error("the old iptables keeps the box from the world")
	}
	restart(t, p, box)
	if got := strings.Count(host(t, "iptables-legacy -S"), "berth:berth0"); got != 2 {
		t.Errorf("there are %d rules", got)
	}
	// The program is not installed, as far as Berth can see.
	empty, err := os.MkdirTemp("/var/tmp", "berth-test-") // the box's start covers the folder of t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(empty) })
	host(t, "iptables-legacy -F FORWARD")
	path := os.Getenv("PATH")
	for _, tool := range []string{"lxc-start", "lxc-stop", "lxc-info", "cat"} {
		found, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(found, filepath.Join(empty, tool)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", empty)
	if w := restart(t, p, box); !strings.Contains(w, "iptables-legacy -I FORWARD 1 -i berth0 -j ACCEPT") {
		t.Errorf("warned of %q", w)
	}
	t.Setenv("PATH", path)
	restart(t, p, box)
	if err := p.Destroy(t.Context(), box.ID, nil); err != nil {
		t.Fatal(err)
	}
	if left := host(t, "iptables-legacy -S"); strings.Contains(left, "berth") || !strings.Contains(left, "-P FORWARD DROP") {
		t.Errorf("left of the firewall is\n%s", left)
	}
}
