package engine

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/berth-dev/berth/internal/forward"
)

// planned gives a box forwards whose forwarder is not there.
func planned(t *testing.T, e *Engine, name string) forward.Dir {
	t.Helper()
	found, err := e.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	dir := forward.Dir(e.Home.BoxDir(found.Record.ID))
	if err := dir.SavePlan(&forward.Plan{Auto: true, Rules: []forward.Rule{{Name: "x", Protocol: "tcp"}}}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Who looks at the boxes of all projects says that forwards are down, and leaves it
// to the project's own commands to heal them.
func TestAllWithADeadForwarder(t *testing.T) {
	e, _, said := newEngine(t, "box \"a\" {}\n")
	planned(t, e, "a")
	all, err := e.All(t.Context())
	if err != nil || len(all) != 1 || all[0].Problem != "its forwards are down" || said.Len() > 0 {
		t.Errorf("%+v, %v\n%s", all, err, said)
	}
}

// A box that does not halt is none that is halted: its forwards are healed.
func TestForwardsOfABoxThatDoesNotHalt(t *testing.T) {
	e, f, _ := newEngine(t, "box \"a\" {}\n")
	dir := planned(t, e, "a")
	f.on = func(_ context.Context, call string) error {
		if strings.HasPrefix(call, "stop ") {
			return errors.New("it goes on")
		}
		return nil
	}
	boxes, err := e.Existing(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Halt(t.Context(), boxes, false); err == nil || !strings.Contains(err.Error(), "it goes on") {
		t.Fatal(err)
	}
	if died, err := dir.Died(); err != nil || !died {
		t.Errorf("nobody would heal its forwards: %v", err)
	}
	f.on = nil
	if err := e.Halt(t.Context(), boxes, false); err != nil {
		t.Fatal(err)
	}
	if died, err := dir.Died(); err != nil || died {
		t.Errorf("the forwarder of a halted box is taken for dead: %v", err)
	}
}
