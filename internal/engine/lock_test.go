package engine

import (
	"testing"

	"github.com/berth-dev/berth/internal/state"
)

// What only this user has is no business of the team's lock.
func TestLockLeavesOutPersonalBoxes(t *testing.T) {
	e, _, _ := newEngine(t, "box \"a\" {}\nbox \"mine\" {\n  provisioner \"note\" {}\n}\n")
	e.Envfile.Box("mine").Personal = true
	e.PluginFile = func(kind, name string) string { return "/etc/passwd" }
	targets, err := e.prepare(t.Context(), e.Envfile.Boxes, true)
	if err != nil {
		t.Fatal(err)
	}
	all, err := e.lockablePlugins(targets)
	if err != nil || len(all) != 1 || all[0].Key() != (state.LockedPlugin{Kind: "provider", Name: "fake", Arch: all[0].Arch}).Key() {
		t.Errorf("plugins %+v, %v", all, err)
	}
}
