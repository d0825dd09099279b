package hostcheck

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/berth/provider"
)

// sick is a host with one thing wrong, and what is said of it.
type sick struct {
	code    string
	as      func(*fakeHost) Env
	harm    func(*fakeHost)
	verdict provider.Verdict
	says    string // in what was read or is wrong
	fix     string // begins so
}

func set(name, text string) func(*fakeHost) { return func(f *fakeHost) { f.files[name] = text } }
func lose(name string) func(*fakeHost)      { return func(f *fakeHost) { delete(f.files, name) } }
func uninstall(name string) func(*fakeHost) { return func(f *fakeHost) { delete(f.programs, name) } }
func fails(line, out string) func(*fakeHost) {
	return func(f *fakeHost) {
		f.run[line] = func() (string, error) { return out, errors.New("exit status 1") }
	}
}

const bad, meh = provider.Broken, provider.Weak

var allSick = []sick{
	{"BRT-KRN-01", asRoot, set("/proc/sys/kernel/osrelease", "5.18.9"), bad, "5.19 or later", "Install a newer kernel"},
	{"BRT-KRN-01", asUser, set("/proc/sys/kernel/osrelease", "5.11.22"), bad, "5.12 or later", "Install a newer kernel"},
	{"BRT-KRN-01", asRoot, set("/proc/sys/kernel/osrelease", "what"), bad, `cannot be read from "what"`, ""},
	{"BRT-KRN-02", asRoot, set("/proc/filesystems", "nodev\toverlayx\n"), bad, "no overlayfs", "modprobe overlay"},
	{"BRT-KRN-02", asUser, lose("/proc/filesystems"), bad, "no overlayfs", setup},
	{"BRT-KRN-03", asRoot, set("/proc/sys/user/max_user_namespaces", "0"), bad, "turned off", "sysctl -w user.max_user_namespaces"},
	{"BRT-KRN-03", asRoot, lose("/proc/sys/user/max_user_namespaces"), bad, "no user namespaces", "Use a kernel"},
	{"BRT-KRN-04", asUser, set("/proc/sys/kernel/unprivileged_userns_clone", "0"), bad, "users may not", setup},
	{"BRT-KRN-04", asUser, func(f *fakeHost) {
		f.files["/proc/sys/kernel/apparmor_restrict_unprivileged_userns"] = "1\n"
		f.files["/proc/self/attr/apparmor/current"] = "unconfined\n"
	}, bad, "AppArmor gives users rights", setup},
	{"BRT-KRN-04", asUser, set("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"), bad, "has no AppArmor profile", setup},
	{"BRT-KRN-05", asUser, fails("unshare --user", "unshare: x\nmount: /tmp: permission denied."), bad, "mount: /tmp: permission denied.", setup},
	{"BRT-LXC-01", asRoot, uninstall("lxc-info"), bad, "lxc-info is not in $PATH", "apt-get install lxc"},
	{"BRT-LXC-01", asUser, uninstall("lxc-start"), bad, "lxc-start is not in $PATH", setup},
	{"BRT-LXC-02", asRoot, func(f *fakeHost) { f.run["lxc-start --version"] = func() (string, error) { return "3.0.3", nil } }, bad, `LXC is "3.0.3"`, "apt-get install lxc"},
	{"BRT-LXC-02", asRoot, fails("lxc-start --version", ""), bad, "exit status 1", "apt-get install lxc"},
	{"BRT-IMG-01", asRoot, uninstall("mmdebstrap"), bad, "not installed", "apt-get install mmdebstrap debian-archive-keyring"},
	{"BRT-IMG-02", asRoot, lose(debianKeyring), bad, "cannot be checked", "apt-get install debian-archive-keyring"},
	{"BRT-USR-06", asUser, func(f *fakeHost) { f.lacks = []string{"no network\nAsk.", "no stage"} }, bad, "no network\nAsk.\nno stage", setup},
	{"BRT-USR-06", asUser, func(f *fakeHost) {
		f.lacks = []string{"no network\nMake it again: sudo berth setup network", "x\nsudo berth setup"}
	}, bad, "no network\nx", "Make it again: sudo berth setup network"},
	{"BRT-USR-02", asUser, set("/etc/subuid", "ann:1:65534\nbob:2:70000"), bad, "gives ann 65534 in a row", setup},
	{"BRT-USR-03", asUser, lose("/etc/subgid"), bad, "gives ann 0 in a row", setup},
	{"BRT-USR-04", asUser, uninstall("newuidmap"), bad, "not installed", setup},
	{"BRT-USR-04", asUser, func(f *fakeHost) { f.setuid = nil }, bad, "neither setuid", "sudo chmod u+s /usr/bin/newuidmap"},
	{"BRT-USR-05", asUser, uninstall("newgidmap"), bad, "not installed", setup},
	{"BRT-CGR-01", asRoot, set("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/x rw"), bad, "no cgroup hierarchy", "mount -t cgroup2"},
	{"BRT-CGR-02", asRoot, set("/sys/fs/cgroup/cgroup.controllers", "cpu pids"), meh, "no cgroup controller memory", "Take cgroup_disable="},
	{"BRT-CGR-03", asUser, set(manager, "memory pids"), bad, "not delegated: cpu (v2)", setup},
	{"BRT-CGR-03", asUser, lose(manager), bad, "cpu (v2), memory (v2), pids (v2)", setup},
	{"BRT-CGR-03", asUser, func(f *fakeHost) {
		f.files["/proc/self/mountinfo"] = v1Mounts
		f.files["/proc/self/cgroup"] = "3:cpu,cpuacct:/u\n2:memory:/u\n1:pids:/u\n"
		f.writable["/sys/fs/cgroup/cpu/u"], f.writable["/sys/fs/cgroup/pids/u"] = true, true
	}, bad, "not delegated: memory (v1)", setup},
	{"BRT-AAR-01", asRoot, uninstall("apparmor_parser"), bad, "cannot load", "apt-get install apparmor"},
	{"BRT-NET-01", asUser, set(usernetFile, "ann veth berthbr0 0\nbob veth berthbr0 9"), bad, "no line for ann", setup},
	{"BRT-NET-02", asUser, lose("/sys/class/net/berthbr0/bridge"), bad, "berthbr0, does not exist", setup},
	{"BRT-NET-03", asRoot, set("/proc/sys/net/ipv4/ip_forward", "0"), bad, "ip_forward is 0", "sysctl -w net.ipv4.ip_forward=1"},
	{"BRT-NET-03", asUser, set("/proc/sys/net/ipv4/ip_forward", "0"), bad, "ip_forward is 0", setup},
	{"BRT-NET-04", asRoot, func(f *fakeHost) { f.barriers = []Barrier{{"the chain X", "Let it"}} }, meh, "the chain X can drop", "Let it"},
	{"BRT-NET-04", asRoot, func(f *fakeHost) { f.barErr = errors.New("no nfnetlink") }, bad, "no nfnetlink", "modprobe nf_tables"},
	{"BRT-NET-04", asUser, func(f *fakeHost) { f.barErr = fs.ErrPermission }, provider.Untried, "sudo berth doctor", ""},
	{"BRT-DNS-01", asRoot, func(f *fakeHost) { f.dnsErr = errors.New("on its loopback") }, bad, "on its loopback", ""},
	{"BRT-DNS-02", asRoot, func(f *fakeHost) { f.silent = "192.0.2.54" }, meh, "no answer from 192.0.2.54", "Name others"},
	{"BRT-DSK-01", asRoot, func(f *fakeHost) { f.space.Free = 799 << 20 }, bad, "799 MiB are free", moveHome},
	{"BRT-DSK-01", asRoot, func(f *fakeHost) { f.space.Free = 2 << 30 }, meh, "little more", moveHome},
	{"BRT-DSK-01", asRoot, func(f *fakeHost) { f.spaceErr = errors.New("stale handle") }, bad, "stale handle", moveHome},
	{"BRT-DSK-02", asRoot, func(f *fakeHost) { f.space.FreeInodes = 29_999 }, bad, "29999 inodes are free", moveHome},
	{"BRT-DSK-03", asRoot, func(f *fakeHost) { f.space.Type, f.mapErr = "nfs", errors.New("invalid argument") }, bad, "(nfs) whose ids", "Put the data on ext4"},
	{"BRT-DSK-03", asUser, func(f *fakeHost) { f.space.Type = "nfs" }, bad, "(nfs) that overlayfs cannot", "Put the data on ext4"},
	{"BRT-INO-01", asRoot, set("/proc/sys/fs/inotify/max_user_instances", "128"), meh, "about 12 boxes", "sysctl -w fs.inotify"},
	{"BRT-INO-01", asUser, set("/proc/sys/fs/inotify/max_user_instances", "128"), meh, "about 12 boxes", setup},
}

func TestSickHosts(t *testing.T) {
	tested := map[string]bool{}
	for _, s := range allSick {
		tested[s.code] = true
		f := healthy()
		s.harm(f)
		hops, err := Examine(t.Context(), s.as(f))
		if err != nil {
			t.Fatal(err)
		}
		h := hops[slices.IndexFunc(hops, func(h provider.Hop) bool { return h.Code == s.code })]
		if h.Verdict != s.verdict || !strings.Contains(h.Read+"\n"+h.Problem, s.says) || !strings.HasPrefix(h.Fix, s.fix) {
			t.Errorf("%s: %+v\nwant %s, %q and %q", s.code, h, s.verdict, s.says, s.fix)
		}
		for _, other := range hops {
			// What one thing breaks is said once; the rest of its chain is not tried.
			if other.Verdict == provider.Broken && other.Code != s.code {
				t.Errorf("%s breaks %s too", s.code, other.Code)
			}
		}
	}
	tested["BRT-USR-01"] = true // it only tells
	for _, c := range All() {
		if !tested[c.Code] {
			t.Errorf("no sick host has %s", c.Code)
		}
	}
}

func TestHealthyHost(t *testing.T) {
	for _, as := range []func(*fakeHost) Env{asRoot, asUser} {
		e := as(healthy())
		hops, err := Examine(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hops {
			if h.Verdict != provider.Good || h.Read == "" {
				t.Errorf("%s: %+v", e.User, h)
			}
		}
	}
	if err := First(t.Context(), asRoot(healthy())); err != nil {
		t.Errorf("First: %v", err)
	}
	empty := healthy()
	delete(empty.files, "/data/network.json")
	empty.files["/proc/sys/net/ipv4/ip_forward"] = "0"
	hops, _ := Examine(t.Context(), asRoot(empty))
	for _, h := range hops {
		if h.Verdict != provider.Good {
			t.Errorf("before the first box: %+v", h)
		}
	}
}

// A user's host, once boxes of users are there: v1 cgroups that setup has made do.
func TestHealthyUser(t *testing.T) {
	f := healthy()
	f.files["/proc/self/mountinfo"] = v1Mounts
	f.files["/proc/self/cgroup"] = "3:cpu,cpuacct:/u\n2:memory:/u\n1:pids:/u\n"
	for _, dir := range []string{"cpu/u", "memory/berth.user.1000", "pids/berth.user.1000"} {
		f.writable["/sys/fs/cgroup/"+dir] = true
	}
	hops, err := Examine(t.Context(), asUser(f))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hops {
		if h.Verdict != provider.Good {
			t.Errorf("%+v", h)
		}
	}
}

// What does, though it is not as on most hosts.
func TestAlsoHealthy(t *testing.T) {
	for name, c := range map[string]struct {
		as   func(*fakeHost) Env
		make func(*fakeHost)
	}{
		"overlay is a module": {asRoot, func(f *fakeHost) {
			f.files["/proc/filesystems"] = "\text4\n"
			f.run["modprobe overlay"] = func() (string, error) {
				f.files["/proc/filesystems"] = "nodev\toverlay\n"
				return "", nil
			}
		}},
		"inodes are not counted": {asRoot, func(f *fakeHost) { f.space = Space{Type: "btrfs", Free: 50 << 30} }},
		"just enough":            {asRoot, set("/proc/sys/fs/inotify/max_user_instances", "512")},
		"a capability": {asUser, func(f *fakeHost) {
			f.setuid = nil
			f.run["getcap /usr/bin/new"] = func() (string, error) { return "/usr/bin/newuidmap cap_setuid=ep", nil }
		}},
		"AppArmor restricts users, but not this program": {asUser, func(f *fakeHost) {
			f.files["/proc/sys/kernel/apparmor_restrict_unprivileged_userns"] = "1\n"
			f.files["/proc/self/attr/apparmor/current"] = "berth (unconfined)\n"
		}},
		"AppArmor restricts nobody": {asUser, func(f *fakeHost) {
			f.files["/proc/sys/kernel/apparmor_restrict_unprivileged_userns"] = "0\n"
			f.files["/proc/self/attr/apparmor/current"] = "unconfined\n"
		}},
		"AppArmor is off": {asRoot, func(f *fakeHost) {
			delete(f.files, "/sys/module/apparmor/parameters/enabled")
			delete(f.programs, "apparmor_parser")
		}},
	} {
		f := healthy()
		c.make(f)
		hops, err := Examine(t.Context(), c.as(f))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hops {
			if h.Verdict != provider.Good {
				t.Errorf("%s: %+v", name, h)
			}
		}
	}
}

func TestCodesAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	chain := map[string]bool{}
	last := ""
	for _, c := range All() {
		if seen[c.Code] {
			t.Errorf("%s is there twice", c.Code)
		}
		seen[c.Code] = true
		if c.Chain != last && chain[c.Chain] {
			t.Errorf("the chain %q is in two parts", c.Chain)
		}
		chain[c.Chain], last = true, c.Chain
	}
}

func TestChainStops(t *testing.T) {
	f := healthy()
	f.files["/proc/sys/kernel/osrelease"] = "4.19.0"
	delete(f.programs, "lxc-stop")
	hops, err := Examine(t.Context(), asRoot(f))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range hops {
		if h.Verdict != provider.Good {
			got = append(got, h.Code+" "+string(h.Verdict)+" "+h.Read)
		}
	}
	want := []string{
		"BRT-KRN-01 broken 4.19.0", "BRT-KRN-02 untried since BRT-KRN-01 is broken", "BRT-KRN-03 untried since BRT-KRN-01 is broken",
		"BRT-LXC-01 broken lxc-stop is not in $PATH", "BRT-LXC-02 untried since BRT-LXC-01 is broken",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	err = First(t.Context(), asRoot(f))
	text := "BRT-KRN-01: the kernel is 4.19.0, and boxes need 5.19 or later (overlayfs over idmapped layers)\n" +
		"Install a newer kernel: on Debian 11 and 12 that of the suite backports.\n" +
		"BRT-LXC-01: LXC is not installed: lxc-stop is not in $PATH\napt-get install lxc"
	if err == nil || err.Error() != text {
		t.Errorf("First: %v\nwant %s", err, text)
	}
	var p *provider.Problem
	if !errors.As(err, &p) || p.Code != "BRT-KRN-01" {
		t.Errorf("no *provider.Problem in %#v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Examine(ended, asRoot(f)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestInstall(t *testing.T) {
	for release, want := range map[string]string{
		"ID=ubuntu\nID_LIKE=debian": "apt-get install lxc", `ID="fedora"`: "dnf install lxc", "ID=arch": "pacman -S lxc",
		"ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"": "zypper install lxc", "ID=else": "install with your package manager: lxc",
	} {
		f := healthy()
		f.files["/etc/os-release"] = release
		if got := asRoot(f).install("lxc"); got != want {
			t.Errorf("%q: %q, want %q", release, got, want)
		}
		if got := asUser(f).install("lxc"); got != want && got != "sudo "+want {
			t.Errorf("%q as a user: %q", release, got)
		}
	}
}
