package builtin

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	for kind, want := range map[string][]string{
		"provider": {"lxc"}, "provisioner": {"file", "shell"}, "other": nil,
	} {
		if diff := cmp.Diff(want, Names(kind)); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
	if !Has("provider", "lxc") || Has("provisioner", "lxc") || Has("provider", "") {
		t.Error("Has and Names differ")
	}
	if err := Serve("provider", "lxd"); err == nil || err.Error() != `no built-in provider plugin "lxd"` {
		t.Errorf("Serve: %v", err)
	}
}
