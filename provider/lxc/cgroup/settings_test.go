package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/provider"
)

var (
	hostV1 = hierarchies{
		"cpu": {point: "/v1/cpu"}, "cpuacct": {point: "/v1/cpuacct"}, "cpuset": {point: "/v1/cpuset"},
		"memory": {point: "/v1/memory"}, "pids": {point: "/v1/pids"}, "blkio": {point: "/v1/blkio"},
	}
	hostV2 = hierarchies{
		"cpu": {true, "/v2"}, "cpuset": {true, "/v2"}, "memory": {true, "/v2"}, "pids": {true, "/v2"}, "io": {true, "/v2"},
	}
	hostHybrid = hierarchies{"cpu": {true, "/v2"}, "memory": {point: "/v1/memory"}, "pids": {true, "/v2"}}
)

func allLimits() provider.Resources {
	swap := int64(1 << 20)
	return provider.Resources{
		CPUs: 1.5, CPUWeight: 200, CPUSet: "0,1", Memory: 512<<20 + 100, Swap: &swap, PIDs: 400,
		IO: provider.IO{Weight: 50, Read: 1000, Write: 2000, ReadIOPS: 30, WriteIOPS: 40},
	}
}

func lines(settings []Setting) []string {
	var out []string
	for _, s := range settings {
		version := "v1 "
		if s.V2 {
			version = "v2 "
		}
		out = append(out, version+s.arg+": "+s.File+" = "+s.Value)
	}
	return out
}

func TestSettings(t *testing.T) {
	device := func() (string, error) { return "8:0", nil }
	for _, tt := range []struct {
		name string
		host hierarchies
		r    provider.Resources
		want []string
	}{
		{"none", hostV2, provider.Resources{}, nil},
		{"v2", hostV2, allLimits(), []string{
			"v2 cpus: cpu.max = 150000 100000", "v2 cpu_weight: cpu.weight = 200", "v2 cpuset: cpuset.cpus = 0,1",
			"v2 memory: memory.max = 536870912", "v2 swap: memory.swap.max = 1048576", "v2 pids: pids.max = 400",
			"v2 io.read: io.max = 8:0 rbps=1000", "v2 io.write: io.max = 8:0 wbps=2000",
			"v2 io.read_iops: io.max = 8:0 riops=30", "v2 io.write_iops: io.max = 8:0 wiops=40",
			"v2 io.weight: io.weight = default 50",
		}},
		{"v1", hostV1, allLimits(), []string{
			"v1 cpus: cpu.cfs_period_us = 100000", "v1 cpus: cpu.cfs_quota_us = 150000",
			"v1 cpu_weight: cpu.shares = 2048", "v1 cpuset: cpuset.cpus = 0,1",
			"v1 memory: memory.limit_in_bytes = 536870912", "v1 swap: memory.memsw.limit_in_bytes = 537919488",
			"v1 pids: pids.max = 400",
			"v1 io.read: blkio.throttle.read_bps_device = 8:0 1000", "v1 io.write: blkio.throttle.write_bps_device = 8:0 2000",
			"v1 io.read_iops: blkio.throttle.read_iops_device = 8:0 30", "v1 io.write_iops: blkio.throttle.write_iops_device = 8:0 40",
			"v1 io.weight: blkio.bfq.weight = 50",
		}},
		{"hybrid", hostHybrid, provider.Resources{CPUs: 2, Memory: 1 << 30, PIDs: 100}, []string{
			"v2 cpus: cpu.max = 200000 100000", "v1 memory: memory.limit_in_bytes = 1073741824", "v2 pids: pids.max = 100",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.host.settings(tt.r, device)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, lines(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSettingsThatTheHostCannotKeep(t *testing.T) {
	swap := int64(0)
	for _, tt := range []struct {
		name string
		host hierarchies
		r    provider.Resources
		want []string // arguments blamed, in order
	}{
		{"no controllers", hierarchies{}, provider.Resources{CPUs: 1, CPUSet: "0", Memory: 1 << 30, PIDs: 9},
			[]string{"box.resources.cpus", "box.resources.cpus", "box.resources.cpuset", "box.resources.memory", "box.resources.pids"}},
		{"v1 swap without memory", hostV1, provider.Resources{Swap: &swap}, []string{"box.resources.swap"}},
		{"no disk to limit", hostV2, provider.Resources{IO: provider.IO{Read: 1}}, []string{"box.resources.io"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.host.settings(tt.r, func() (string, error) { return "", errors.New("tmpfs") })
			var got []string
			for _, e := range unjoin(err) {
				var arg *provider.ArgError
				if !errors.As(e, &arg) {
					t.Fatalf("%v blames nothing", e)
				}
				got = append(got, arg.Arg)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func unjoin(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	return []error{err}
}

// Every limit must be noticed when the kernel has another value.
func TestReadBack(t *testing.T) {
	good := map[string]string{
		"cpu.max": "150000 100000\n", "cpu.weight": "200\n", "cpuset.cpus": "0-1\n", "memory.max": "536870912\n",
		"memory.swap.max": "1048576\n", "pids.max": "400\n", "io.weight": "default 50\n",
		"io.max": "8:16 rbps=5\n8:0 rbps=1000 wbps=2000 riops=30 wiops=40\n",
	}
	bad := map[string]string{
		"cpu.max": "max 100000\n", "cpu.weight": "100\n", "cpuset.cpus": "0\n", "memory.max": "max\n",
		"memory.swap.max": "0\n", "pids.max": "max\n", "io.weight": "default 100\n", "io.max": "8:16 rbps=1000\n",
	}
	settings, err := hostV2.settings(allLimits(), func() (string, error) { return "8:0", nil })
	if err != nil {
		t.Fatal(err)
	}
	check := func(files map[string]string) (failed int, last error) {
		dir := t.TempDir()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		dirs := map[string]string{"cpu": dir, "cpuset": dir, "memory": dir, "pids": dir, "io": dir}
		for _, s := range settings {
			if err := s.check(dirs); err != nil {
				failed, last = failed+1, err
			}
		}
		return failed, last
	}
	if n, err := check(good); n != 0 {
		t.Errorf("good values: %d complaints, %v", n, err)
	}
	if n, _ := check(bad); n != len(settings) {
		t.Errorf("bad values: %d complaints of %d", n, len(settings))
	}
	if n, _ := check(nil); n != len(settings) {
		t.Errorf("missing files: %d complaints of %d", n, len(settings))
	}
	good["memory.max"] = "max\n"
	_, err = check(good)
	if err == nil || !strings.Contains(err.Error(), "box.resources.memory: wanted memory.max = 536870912, but the kernel has max") {
		t.Errorf("got %v", err)
	}
}

func TestCgroupDirs(t *testing.T) {
	text := "3:memory:/berth.box.x/init.scope\n2:cpu,cpuacct:/user.slice/berth.box.x\n1:name=systemd:/berth.box.x\n0::/berth.box.x/init.scope\n"
	got := hostV1.parse(text, "berth.box.x")
	want := map[string]string{
		"memory": "/v1/memory/berth.box.x", "cpu": "/v1/cpu/user.slice/berth.box.x", "cpuacct": "/v1/cpuacct/user.slice/berth.box.x",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := hostV2.parse(text, "berth.box.x")["pids"]; got != "/v2/berth.box.x" {
		t.Errorf("v2: %q", got)
	}
	if got := hostV2.parse("0::/berth.box.xy\n", "berth.box.x"); len(got) != 0 {
		t.Errorf("another box's cgroup was taken: %v", got)
	}
}

func TestNormalCPUSet(t *testing.T) {
	for in, want := range map[string]string{"0": "0", "0,1": "0-1", "3,1-2": "1-3", "0-1,3": "0-1,3", "": "", "x": "x"} {
		if got := normalCPUSet(in); got != want {
			t.Errorf("normalCPUSet(%q) is %q, want %q", in, got, want)
		}
	}
}

func TestWeights(t *testing.T) {
	for w := int64(1); w <= 10000; w++ {
		if got := weightOf(sharesOf(w)); got != w {
			t.Fatalf("weight %d comes back as %d", w, got)
		}
	}
}
