package config

import (
	"strings"
	"testing"
)

func TestSetLimit(t *testing.T) {
	swap := int64(0)
	r := Resources{CPUs: 1, Memory: 1 << 30, PIDs: 400, CPUSet: "0", CPUWeight: 5, Swap: &swap}
	for _, tt := range []struct{ name, value, want string }{
		{"cpus", "1.5", ""}, {"cpus", "none", ""}, {"cpus", "many", "number of CPUs from 0.01"}, {"cpus", "0", "number of CPUs"},
		{"cpu_weight", "200", ""}, {"cpu_weight", "none", ""}, {"cpu_weight", "20000", "from 1 to 10000"},
		{"cpuset", "0-1", ""}, {"cpuset", "none", ""}, {"cpuset", "a", "neither a CPU nor a range"},
		{"memory", "512MiB", ""}, {"memory", "none", ""}, {"memory", "1KiB", "at least 16MiB"}, {"memory", "1G", "can mean two things"},
		{"swap", "1GiB", ""}, {"swap", "0", ""}, {"swap", "none", ""}, {"swap", "-1", "write a size"},
		{"pids", "100", ""}, {"pids", "none", ""}, {"pids", "1", "at least 16"},
		{"disk", "1GiB", "no such limit"},
	} {
		err := r.Set(tt.name, tt.value)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), tt.name+": ")) {
			t.Errorf("%s = %q: %v, want %q", tt.name, tt.value, err, tt.want)
		}
	}
	for name, value := range map[string]string{"cpus": "2", "memory": "32MiB", "swap": "1MiB", "pids": "16", "cpuset": "1", "cpu_weight": "7"} {
		if err := r.Set(name, value); err != nil {
			t.Error(err)
		}
	}
	if r.CPUs != 2 || r.Memory != 32<<20 || *r.Swap != 1<<20 || r.PIDs != 16 || r.CPUSet != "1" || r.CPUWeight != 7 {
		t.Errorf("got %+v", r)
	}
}
