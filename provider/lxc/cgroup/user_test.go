package cgroup

import (
	"slices"
	"testing"

	"github.com/berth-dev/berth/provider/lxc/mountinfo"
)

func v1(point string, options ...string) mountinfo.Mount {
	return mountinfo.Mount{Point: point, FSType: "cgroup", Options: append([]string{"rw"}, options...)}
}

// A user's boxes are in v1 only where what limits them is.
func TestLimitsInV1(t *testing.T) {
	v2 := mountinfo.Mount{Point: "/sys/fs/cgroup", FSType: "cgroup2", Options: []string{"rw", "nsdelegate"}}
	disk := mountinfo.Mount{Point: "/", FSType: "ext4", Options: []string{"rw", "memory"}}
	for _, c := range []struct {
		name   string
		mounts []mountinfo.Mount
		want   bool
	}{
		{"v2", []mountinfo.Mount{disk, v2}, false},
		{"v2, and net_cls of a VPN", []mountinfo.Mount{v2, v1("/opt/net_cls", "net_cls")}, false},
		{"v2, and systemd's own", []mountinfo.Mount{v2, v1("/sys/fs/cgroup/systemd", "xattr", "name=systemd")}, false},
		{"hybrid", []mountinfo.Mount{v2, v1("/sys/fs/cgroup/pids", "pids")}, true},
		{"v1", []mountinfo.Mount{v1("/sys/fs/cgroup/memory", "memory"), v1("/sys/fs/cgroup/cpu", "cpu", "cpuacct")}, true},
	} {
		if got := limitsInV1(c.mounts); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	// What is removed is looked for everywhere.
	want := []string{"/opt/net_cls/berth.user.7"}
	if got := userDirs([]mountinfo.Mount{v2, v1("/opt/net_cls", "net_cls")}, 7); !slices.Equal(got, want) {
		t.Errorf("cgroups are %q", got)
	}
}
