package hostcheck

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"
)

// fakeHost is a host made of what a test says.
type fakeHost struct {
	files    map[string]string // name -> content
	setuid   map[string]bool
	writable map[string]bool
	programs map[string]string                          // name -> path
	run      map[string]func() (output string, e error) // command line -> outcome
	space    Space
	spaceErr error
	mapErr   error
	barriers []Barrier
	barErr   error
	servers  []string
	dnsErr   error
	lacks    []string
	silent   string // a name server that does not answer
}

func (f *fakeHost) ReadFile(name string) ([]byte, error) {
	if text, ok := f.files[name]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

type fakeInfo struct {
	fs.FileInfo
	mode fs.FileMode
}

func (i fakeInfo) Mode() fs.FileMode  { return i.mode }
func (i fakeInfo) ModTime() time.Time { return time.Time{} }

func (f *fakeHost) Stat(name string) (fs.FileInfo, error) {
	if f.setuid[name] {
		return fakeInfo{mode: fs.ModeSetuid | 0o755}, nil
	}
	for _, path := range f.programs {
		if path == name {
			return fakeInfo{mode: 0o755}, nil
		}
	}
	if _, err := f.ReadFile(name); err != nil {
		return nil, err
	}
	return fakeInfo{mode: 0o644}, nil
}

func (f *fakeHost) Writable(name string) bool { return f.writable[name] }

func (f *fakeHost) LookPath(program string) (string, error) {
	if path := f.programs[program]; path != "" {
		return path, nil
	}
	return "", errors.New(program + ": not found")
}

func (f *fakeHost) Run(_ context.Context, argv ...string) (string, error) {
	line := strings.Join(argv, " ")
	for prefix, outcome := range f.run {
		if strings.HasPrefix(line, prefix) {
			return outcome()
		}
	}
	return "", errors.New(argv[0] + ": not found")
}

func (f *fakeHost) Space(string) (Space, error)          { return f.space, f.spaceErr }
func (f *fakeHost) MapIDs(context.Context, string) error { return f.mapErr }
func (f *fakeHost) Unprepared(context.Context) []string  { return f.lacks }
func (f *fakeHost) Barriers(string) ([]Barrier, error)   { return f.barriers, f.barErr }
func (f *fakeHost) Nameservers() ([]string, error)       { return f.servers, f.dnsErr }
func (f *fakeHost) Ask(_ context.Context, server string) error {
	if server == f.silent {
		return context.DeadlineExceeded
	}
	return nil
}

const (
	v1Mounts = "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" +
		"31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
		"32 25 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
	v2Mount = "29 24 0:25 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	manager = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers"
)

// healthy is a Debian 12 host that has everything, for root and for a user who
// was set up.
func healthy() *fakeHost {
	says := func(text string) func() (string, error) { return func() (string, error) { return text, nil } }
	f := &fakeHost{
		files: map[string]string{
			"/etc/os-release":                                "ID=debian\n",
			"/proc/sys/kernel/osrelease":                     "6.1.0-18-amd64\n",
			"/proc/filesystems":                              "nodev\tsysfs\n\text4\nnodev\toverlay\n",
			"/proc/sys/user/max_user_namespaces":             "96365\n",
			"/proc/sys/kernel/unprivileged_userns_clone":     "1\n",
			"/proc/self/mountinfo":                           v2Mount,
			"/sys/fs/cgroup/cgroup.controllers":              "cpuset cpu io memory pids\n",
			manager:                                          "cpu memory pids\n",
			"/etc/subuid":                                    "other:100000:65536\nann:165536:65536\n",
			"/etc/subgid":                                    "ann:165536:65536\n",
			"/etc/lxc/lxc-usernet":                           "# who may\nann veth berthbr0 64\n",
			"/sys/class/net/berthbr0/bridge":                 "",
			"/sys/class/net/berth3/bridge":                   "",
			"/data/network.json":                             `{"bridge": "berth3"}`,
			"/proc/sys/net/ipv4/ip_forward":                  "1\n",
			"/proc/sys/fs/inotify/max_user_instances":        "1024\n",
			"/sys/module/apparmor/parameters/enabled":        "Y\n",
			"/usr/share/keyrings/debian-archive-keyring.gpg": "",
		},
		setuid:   map[string]bool{"/usr/bin/newuidmap": true, "/usr/bin/newgidmap": true},
		programs: map[string]string{},
		writable: map[string]bool{},
		run: map[string]func() (string, error){
			"lxc-start --version": says("5.0.2"),
			"unshare --user":      says(""),
		},
		space:   Space{Type: "ext4", Free: 50 << 30, FreeInodes: 1 << 20, Inodes: 1 << 21},
		servers: []string{"192.0.2.53", "192.0.2.54"},
	}
	for _, p := range []string{"lxc-start", "lxc-stop", "lxc-info", "mmdebstrap", "newuidmap", "newgidmap", "apparmor_parser"} {
		f.programs[p] = "/usr/bin/" + p
	}
	return f
}

func asRoot(f *fakeHost) Env { return Env{Host: f, UID: 0, User: "root", DataDir: "/data"} }
func asUser(f *fakeHost) Env { return Env{Host: f, UID: 1000, User: "ann", DataDir: "/data"} }
