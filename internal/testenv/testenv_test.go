package testenv

import (
	"strings"
	"testing"
)

// recorder notes what need does to a test.
type recorder struct {
	testing.TB
	skipped, failed string
}

func (r *recorder) Helper()                        {}
func (r *recorder) Skipf(format string, a ...any)  { r.skipped = format }
func (r *recorder) Fatalf(format string, a ...any) { r.failed = format }

func TestNeed(t *testing.T) {
	r := &recorder{}
	t.Setenv("BERTH_TEST_REQUIRE", "root")
	need(r, "nonsense")
	if r.skipped == "" || r.failed != "" {
		t.Errorf("a missing thing that is not required: skipped %q, failed %q", r.skipped, r.failed)
	}
	r = &recorder{}
	t.Setenv("BERTH_TEST_REQUIRE", "root, nonsense")
	need(r, "nonsense")
	if r.skipped != "" || r.failed == "" {
		t.Errorf("a missing thing that is required: skipped %q, failed %q", r.skipped, r.failed)
	}
}

func TestHas(t *testing.T) {
	if ok, reason := Has("nonsense"); ok || !strings.Contains(reason, `"nonsense"`) {
		t.Errorf("Has(nonsense) = %v, %q", ok, reason)
	}
	t.Setenv("https_proxy", "http://proxy.invalid")
	if ok, reason := Has("net"); !ok {
		t.Errorf("Has(net) with a proxy = false, %q", reason)
	}
	for _, name := range []string{"root", "lxc", "sshd"} {
		if ok, reason := Has(name); ok != (reason == "") {
			t.Errorf("Has(%s) = %v, %q", name, ok, reason)
		}
	}
}
