package archtest

import (
	"path"
	"strings"
	"testing"
)

// A rule says what of this module a package may import. The first one whose
// pattern matches holds; "/..." at its end takes in the packages below. A new
// package needs a rule, so that somebody thinks about where it belongs.
type rule struct {
	pkg   string
	allow []string
}

// anything of this module
const anything = "..."

var rules = []rule{
	// The two contracts, which a plugin's author depends on: nothing of ours.
	{"provider", nil},
	{"provider/providertest", []string{"provider"}},
	{"provider/lxc/...", []string{"provider", "provider/lxc/...", "internal/hostpath"}},
	{"provider/*", []string{"provider"}},
	{"provisioner", nil},
	{"provisioner/*", []string{"provisioner"}},

	// The Envfile knows nothing of plugins, nor they of it: the engine joins them.
	{"config", nil},

	{"plugins", []string{"provider", "provisioner", "plugins/internal/..."}},
	{"plugins/host", []string{"provider", "provisioner", "plugins/internal/..."}},
	{"plugins/builtin", []string{"plugins", "provider", "provisioner", "provider/*", "provisioner/*"}},
	{"plugins/internal/pluginpb", nil},
	{"plugins/internal/wire", []string{"provider", "provisioner", "plugins/internal/pluginpb"}},

	{"internal/state", nil},
	{"internal/ui", nil},
	{"internal/testenv", nil},
	{"internal/sshdtest", []string{"internal/testenv"}},
	{"internal/archtest", nil},
	{"internal/guest", []string{"provider", "provisioner"}},
	{"internal/hostpath", nil},
	{"internal/forward", []string{"internal/guest", "internal/hostpath"}},
	{"internal/engine", []string{"config", "provider", "provisioner", "internal/state", "internal/guest", "internal/forward", "internal/ui"}},
	{"internal/doctor", []string{"provider", "internal/state", "internal/guest"}},
	// It makes what the provider then finds.
	{"internal/setup", []string{"provider/lxc", "provider/lxc/account", "provider/lxc/cgroup", "provider/lxc/subid"}},
	{"internal/bench", []string{anything}},

	{"cmd/berth", []string{"cmd/berth/app"}},
	{"cmd/berth/app", []string{anything}},

	// What an outsider can import.
	{"examples/plugins/*", []string{"plugins", "provider", "provisioner"}},
}

// testRules are what tests may import beside the rule of their package and
// everything in testHelpers.
var testRules = []rule{
	{"plugins/...", []string{"plugins/...", "provider/*", "provisioner/*"}},
	{"cmd/...", []string{anything}},
	{"examples/...", []string{anything}},
}

// testHelpers are for the tests of any package.
var testHelpers = []string{"internal/testenv", "internal/sshdtest", "provider/providertest", "provisioner/provisionertest"}

func TestImports(t *testing.T) {
	for _, f := range allFiles(t) {
		allow, ok := allowed(rules, f.dir())
		if !ok {
			t.Errorf("%s: package %s has no rule in import_test.go", f.path, f.dir())
			continue
		}
		if f.isTest() {
			more, _ := allowed(testRules, f.dir())
			allow = append(append([]string{f.dir()}, testHelpers...), append(more, allow...)...)
		}
		for _, imp := range f.imports {
			rel, ours := strings.CutPrefix(imp, module+"/")
			if ours && !permits(allow, rel) {
				t.Errorf("%s imports %s, which package %s may not: see import_test.go", f.path, rel, f.dir())
			}
		}
	}
}

func allowed(rules []rule, pkg string) ([]string, bool) {
	for _, r := range rules {
		if matches(r.pkg, pkg) {
			return r.allow, true
		}
	}
	return nil, false
}

func permits(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if matches(p, pkg) {
			return true
		}
	}
	return false
}

func matches(pattern, pkg string) bool {
	if pattern == anything {
		return true
	}
	if top, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == top || strings.HasPrefix(pkg, top+"/")
	}
	ok, err := path.Match(pattern, pkg)
	return ok && err == nil
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, pkg string
		want         bool
	}{
		{"provider", "provider", true},
		{"provider", "provider/lxc", false},
		{"provider/*", "provider/lxc", true},
		{"provider/*", "provider", false},
		{"provider/*", "provider/lxc/mount", false},
		{"provider/lxc/...", "provider/lxc", true},
		{"provider/lxc/...", "provider/lxc/mount", true},
		{"provider/lxc/...", "provider/lxcd", false},
		{anything, "x/y", true},
	} {
		if got := matches(c.pattern, c.pkg); got != c.want {
			t.Errorf("matches(%q, %q) = %v", c.pattern, c.pkg, got)
		}
	}
	if _, ok := allowed(rules, "internal/new"); ok {
		t.Error("a new package has a rule")
	}
}
