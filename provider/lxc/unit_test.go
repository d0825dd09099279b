package lxc

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/subid"
)

func TestChooseSubnet(t *testing.T) {
	p := netip.MustParsePrefix
	for _, tt := range []struct {
		name   string
		wanted string
		routes []route
		want   string // "" for an error that names the last route
	}{
		{"no routes", "", nil, "10.177.0.0/22"},
		{"the one we had", "10.177.8.0/22", nil, "10.177.8.0/22"},
		{"docker and a home router", "", []route{{dst: p("172.17.0.0/16"), via: "docker0"}, {dst: p("192.168.1.0/24"), via: "wlan0"}}, "10.177.0.0/22"},
		{"another berth", "", []route{{dst: p("10.177.0.0/22"), via: "berth0"}}, "10.177.4.0/22"},
		{"a host route inside", "", []route{{dst: p("10.177.1.7/32"), via: "tun0"}}, "10.177.4.0/22"},
		{"VPN over the one we had", "10.177.0.0/22", []route{{dst: p("10.176.0.0/14"), via: "tun0"}}, "172.30.0.0/22"},
		{"VPN with 10/8", "", []route{{dst: p("10.0.0.0/8"), via: "tun0"}}, "172.30.0.0/22"},
		{"VPN with 10/8 and 172.16/12", "", []route{{dst: p("10.0.0.0/8"), via: "tun0"}, {dst: p("172.16.0.0/12"), via: "tun0"}}, "192.168.0.0/22"},
		{"VPN with all private ranges", "", []route{{dst: p("10.0.0.0/8"), via: "tun0"}, {dst: p("172.16.0.0/12"), via: "tun0"}, {dst: p("192.168.0.0/16"), via: "tun0"}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var wanted netip.Prefix
			if tt.wanted != "" {
				wanted = p(tt.wanted)
			}
			got, err := chooseSubnet(wanted, tt.routes)
			if tt.want == "" {
				if err == nil || !strings.Contains(err.Error(), "192.168.0.0/16 on tun0") {
					t.Fatalf("got %v, %v; want an error that names the route", got, err)
				}
				return
			}
			if err != nil || got.String() != tt.want {
				t.Errorf("got %v, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestNetworkAddresses(t *testing.T) {
	n := network{Subnet: netip.MustParsePrefix("10.177.4.0/22")}
	a := netip.MustParseAddr
	if n.gateway() != a("10.177.4.1") || n.broadcast() != a("10.177.7.255") {
		t.Errorf("gateway %v, broadcast %v", n.gateway(), n.broadcast())
	}
	for addr, want := range map[string]bool{
		"10.177.4.0": false, "10.177.4.1": false, "10.177.4.2": true, "10.177.5.255": true,
		"10.177.7.254": true, "10.177.7.255": false, "10.177.8.2": false,
	} {
		if n.usable(a(addr)) != want {
			t.Errorf("usable(%s) is %v", addr, !want)
		}
	}
}

func TestFreeIDRange(t *testing.T) {
	first, err := freeIDRange("/a", nil, nil)
	if err != nil || first < firstIDBase || first > lastIDBase || first%idRange != 0 {
		t.Fatalf("got %d, %v", first, err)
	}
	second, err := freeIDRange("/a", []record{{IDBase: first}}, nil)
	if err != nil || second == first {
		t.Errorf("a box's range was given again: %d, %v", second, err)
	}
	// A neighbour that reaches one id into the range.
	third, err := freeIDRange("/a", nil, []subid.Range{{First: uint64(first) - 10, Count: 11}})
	if err != nil || third == first {
		t.Errorf("a range of /etc/subuid was given: %d, %v", third, err)
	}
	if _, err := freeIDRange("/a", nil, []subid.Range{{First: 0, Count: 1 << 32}}); err == nil {
		t.Error("a range was found where all are taken")
	}
}

func TestParseResolvConf(t *testing.T) {
	servers, search := parseResolvConf("# x\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nsearch a.example b.example\noptions edns0\n")
	if !cmp.Equal(servers, []string{"192.0.2.1"}) || !cmp.Equal(search, []string{"a.example", "b.example"}) {
		t.Errorf("got %v, %v", servers, search)
	}
}

func TestReplaceBlock(t *testing.T) {
	for _, tt := range []struct{ name, text, block, want string }{
		{"new file", "", "a\n", "# BEGIN Berth\na\n# END Berth\n"},
		{"after the user's own, which had no line end", "mine", "a\n", "mine\n# BEGIN Berth\na\n# END Berth\n"},
		{"replaced in place of the old one", "x\n# BEGIN Berth\nold\n# END Berth\ny\n", "a\n", "x\ny\n# BEGIN Berth\na\n# END Berth\n"},
		{"removed", "x\n# BEGIN Berth\nold\n# END Berth\n", "", "x\n"},
		{"end marker lost", "x\n# BEGIN Berth\nold\n", "", "x\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, changed := replaceBlock(tt.text, tt.block)
			if got != tt.want || !changed {
				t.Errorf("got %q, %v", got, changed)
			}
			if again, changed := replaceBlock(got, tt.block); again != got || changed {
				t.Errorf("a second time changes it to %q", again)
			}
		})
	}
}

func TestCheckRaw(t *testing.T) {
	for key, ok := range map[string]bool{
		"lxc.environment": true, "lxc.prlimit.nofile": true, "lxc.sysctl.net.core.somaxconn": true,
		"lxc.hook.pre-start": false, "lxc.include": false, "lxc.rootfs.path": false, "lxc.mount.entry": false,
		"lxc.prlimit.": false, "lxc.environment.x": false, "lxc.net.0.script.up": false, "lxc.log.file": false,
		"lxc.idmap": false, "lxc.apparmor.profile": false, "": false,
	} {
		if err := checkRaw(key, "x"); (err == nil) != ok {
			t.Errorf("checkRaw(%q): %v", key, err)
		}
	}
	if err := checkRaw("lxc.environment", "A=b\nlxc.hook.pre-start = /bin/sh"); err == nil {
		t.Error("a line break in a value was taken")
	}
}

func TestParseImage(t *testing.T) {
	if suite, err := parseImage("debian:trixie"); err != nil || suite != "trixie" {
		t.Errorf("got %q, %v", suite, err)
	}
	for _, bad := range []string{"", "debian", "debian:", "debian:nope", "ubuntu:noble", "debian:bookworm;x"} {
		_, err := parseImage(bad)
		var arg *provider.ArgError
		if !errors.Is(err, provider.ErrImage) || !errors.As(err, &arg) || arg.Arg != "box.image" {
			t.Errorf("parseImage(%q): %v", bad, err)
		}
	}
}

func TestParseInfo(t *testing.T) {
	state, pid, err := parseInfo("State:          RUNNING\nPID:            4711\n")
	if err != nil || state != "RUNNING" || pid != 4711 {
		t.Errorf("got %s, %d, %v", state, pid, err)
	}
	if _, _, err := parseInfo("what?\n"); err == nil {
		t.Error("nonsense was taken for an answer")
	}
}

func TestTreeDigest(t *testing.T) {
	tree := func(change func(dir string)) string {
		dir := t.TempDir()
		write := func(name, text string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("a", "1")
		write("b", "2")
		if err := os.Symlink("a", filepath.Join(dir, "l")); err != nil {
			t.Fatal(err)
		}
		change(dir)
		digest, _, err := treeDigest(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	same := tree(func(string) {})
	if again := tree(func(string) {}); again != same {
		t.Error("the same tree has two digests")
	}
	for name, change := range map[string]func(dir string){
		"content": func(dir string) { os.WriteFile(dir+"/a", []byte("3"), 0o644) },
		"mode":    func(dir string) { os.Chmod(dir+"/a", 0o600) },
		"name":    func(dir string) { os.Rename(dir+"/a", dir+"/c") },
		"link":    func(dir string) { os.Remove(dir + "/l"); os.Symlink("b", dir+"/l") },
		"more":    func(dir string) { os.Mkdir(dir+"/d", 0o755) },
	} {
		if tree(change) == same {
			t.Errorf("another %s, the same digest", name)
		}
	}
}

func TestCatches(t *testing.T) {
	self := os.Getpid()
	if catches(self, int(unix.SIGKILL)) || !catches(self, int(unix.SIGURG)) { // Go's runtime has a handler for that
		t.Error("signals of this process are read wrongly")
	}
	sleep := exec.Command("sleep", "60")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleep.Process.Kill(); _ = sleep.Wait() }()
	if catches(sleep.Process.Pid, haltSignal) {
		t.Error("sleep takes the signal to halt")
	}
	if !catches(1<<30, haltSignal) {
		t.Error("a process that is gone is waited for")
	}
}
