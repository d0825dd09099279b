package config

import (
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	tests := []struct {
		in   string
		want int64
		err  string
	}{
		{in: "0", want: 0},
		{in: "1024", want: 1024},
		{in: "1024B", want: 1024},
		{in: "512MiB", want: 512 << 20},
		{in: "512mib", want: 512 << 20},
		{in: "1.5GiB", want: 3 << 29},
		{in: "100MB", want: 100e6},
		{in: "100 mb", want: 100e6},
		{in: "3kB", want: 3000},
		{in: "2KiB", want: 2048},
		{in: "1TiB", want: 1 << 40},
		{in: "2TB", want: 2e12},
		{in: "512M", err: `the unit "M" can mean two things; write MiB for powers of 1024 or MB for powers of 1000`},
		{in: "4k", err: `the unit "k" can mean two things; write KiB for powers of 1024 or kB for powers of 1000`},
		{in: "1.5", err: "it is not a whole number of bytes"},
		{in: "99999999TiB", err: "it is too large"},
		{in: "5PiB", err: `there is no unit "PiB"; use one of KiB, MiB, GiB, TiB, kB, MB, GB, TB`},
		{in: "", err: "write " + sizeForm},
		{in: "-1MiB", err: "write " + sizeForm},
		{in: "1e3", err: "write " + sizeForm},
		{in: "MiB", err: "write " + sizeForm},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := parseSize(tt.in)
			if errText(err) != tt.err || got != tt.want {
				t.Errorf("got %d, error %q; want %d, error %q", got, errText(err), tt.want, tt.err)
			}
		})
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 1023: "1023 bytes", 1024: "1KiB", 16 << 20: "16MiB", 3 << 29: "1536MiB", 1 << 40: "1TiB"} {
		if got := formatSize(n); got != want {
			t.Errorf("formatSize(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	tests := []struct {
		in   string
		want time.Duration
		err  string
	}{
		{in: "90s", want: 90 * time.Second},
		{in: "1m30s", want: 90 * time.Second},
		{in: "0", want: 0},
		{in: "60", err: `it has no unit; write "60s" for seconds or "60m" for minutes`},
		{in: "soon", err: `write a duration such as "90s", "2m" or "1m30s"`},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := parseDuration(tt.in)
			if errText(err) != tt.err || got != tt.want {
				t.Errorf("got %v, error %q; want %v, error %q", got, errText(err), tt.want, tt.err)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	tests := []struct {
		constraint, version string
		want                bool
	}{
		{">= 0.1", "0.1.0", true},
		{">= 0.1", "0.0.9", false},
		{">=0.1,<2", "2.0.0", false},
		{">= 0.1, < 2", "1.9.9", true},
		{"1.2", "1.2.0", true},
		{"= 1.2", "1.2.1", false},
		{"!= 1.2", "1.2.1", true},
		{"!= 1.2.1", "1.2.1", false},
		{"> 1", "1.0.0", false},
		{"> 1", "1.0.1", true},
		{"<= 1.0.0", "1.0.0", true},
		{"<= 1", "1.0.1", false},
		{"~> 0.3", "0.9.0", true},
		{"~> 0.3", "1.0.0", false},
		{"~> 0.3.1", "0.3.9", true},
		{"~> 0.3.1", "0.3.0", false},
		{"~> 0.3.1", "0.4.0", false},
		{">= 1.0", "1.0.0-rc1", false},
		{">= 1.0-rc1", "1.0.0", true},
		{"< 1.0", "v1.0.0-rc1+build", true},
	}
	for _, tt := range tests {
		t.Run(tt.constraint+" "+tt.version, func(t *testing.T) {
			cs, err := parseConstraints(tt.constraint)
			if err != nil {
				t.Fatal(err)
			}
			v, err := parseVersion(tt.version)
			if err != nil {
				t.Fatal(err)
			}
			got := true
			for _, c := range cs {
				got = got && c.allows(v)
			}
			if got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	for _, bad := range []string{"", ">= 1,", "~> 1", "=> 1", "1.2.3.4", ">= x", "1 2"} {
		if _, err := parseConstraints(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestNames(t *testing.T) {
	for s, want := range map[string]string{
		"shop": "shop", "My Shop": "my-shop", "_x_": "x", "Übung": "bung", "": "project", "...": "project",
		"a-very-long-name-of-a-folder-that-goes-on": "a-very-long-name-of-a-folder-t", "a--b": "a-b",
	} {
		got := slug(s)
		if got != want {
			t.Errorf("slug(%q) = %q, want %q", s, got, want)
		}
		if err := checkName(got); err != nil {
			t.Errorf("slug(%q) = %q is no name: %v", s, got, err)
		}
	}
	for s, ok := range map[string]bool{"web": true, "Web-1.example": true, "a..b": false, "-a": false, "a-": false, "a_b": false, "": false} {
		if got := checkHostname(s) == nil; got != ok {
			t.Errorf("checkHostname(%q): %v, want %v", s, got, ok)
		}
	}
	for s, ok := range map[string]bool{"0": true, "0-2,4": true, "0-2,": false, "2-0": false, "": false, "a": false, "1-": false, "0 - 1": false} {
		if got := checkCPUSet(s) == nil; got != ok {
			t.Errorf("checkCPUSet(%q): %v, want %v", s, got, ok)
		}
	}
	for name, want := range map[string]string{"memroy": "memory", "memory": "", "mem": "", "IMAGE": "image", "x": ""} {
		if got := nearest(name, []string{"image", "memory", "pids"}); got != want {
			t.Errorf("nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
