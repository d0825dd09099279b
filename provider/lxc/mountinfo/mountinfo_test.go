package mountinfo

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	got := parse([]byte(`24 30 0:22 / /proc rw,relatime - proc proc rw
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
40 30 8:1 /a /mnt/with\040space rw master:1 - ext4 /dev/sda1 rw,errors=remount-ro
garbage
`))
	want := []Mount{
		{"0:22", "/proc", "proc", "proc", []string{"rw"}},
		{"0:27", "/sys/fs/cgroup/cpu,cpuacct", "cgroup", "cgroup", []string{"rw", "cpu", "cpuacct"}},
		{"8:1", "/mnt/with space", "ext4", "/dev/sda1", []string{"rw", "errors=remount-ro"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
