package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

func TestLimitsText(t *testing.T) {
	zero, some := int64(0), int64(512<<20)
	for _, c := range []struct {
		now, wanted provider.Resources
		want        string
	}{
		{provider.Resources{Memory: 512 << 20, CPUs: 1.5}, provider.Resources{Memory: 1 << 30, CPUs: 1.5}, "memory 512MiB -> 1GiB"},
		{provider.Resources{PIDs: 400}, provider.Resources{CPUSet: "7-9"}, "cpuset none -> 7-9, pids 400 -> none"},
		{provider.Resources{Swap: &some}, provider.Resources{Swap: &zero}, "swap 512MiB -> 0"},
		{provider.Resources{}, provider.Resources{Swap: &zero}, "swap none -> 0"},
		{provider.Resources{Memory: 1500}, provider.Resources{Memory: 1 << 40}, "memory 1500 -> 1024GiB"},
		{provider.Resources{CPUWeight: 100, IO: provider.IO{Weight: 100}, CPUSet: allCPUs()}, provider.Resources{PIDs: 9}, "pids none -> 9"},
		{provider.Resources{CPUWeight: 50}, provider.Resources{}, "cpu_weight 50 -> none"},
		{provider.Resources{Disk: 1 << 30}, provider.Resources{Disk: 5 << 30}, "disk 1GiB -> 5GiB"},
		{provider.Resources{}, provider.Resources{}, "the Envfile has changed since it was started"},
	} {
		if got := limitsText(c.now, c.wanted); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// allCPUs is what the kernel has for a box without a set.
func allCPUs() string {
	if n := runtime.NumCPU(); n > 1 {
		return fmt.Sprintf("0-%d", n-1)
	}
	return "0"
}

func TestWhyChanged(t *testing.T) {
	s := &step{args: []byte("{}"), hash: "new", parts: map[string]string{"argument a": "1", "argument b": "2", "file f": "3"}}
	for _, c := range []struct {
		r    state.Step
		want string
	}{
		{state.Step{Hash: "new"}, ""},
		{state.Step{Hash: "old"}, "it has changed since it ran"}, // by a Berth that kept no parts
		{state.Step{Hash: "old", Parts: map[string]string{"argument a": "1", "argument b": "9", "file g": "3"}},
			"changed since it ran: argument b, file f is new, file g is gone"},
	} {
		if got := whyChanged(s, &c.r); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := whyChanged(&step{}, &state.Step{Hash: "old"}); got != "" {
		t.Errorf("a step whose values are not known: %q", got)
	}
}

func TestFingerprintParts(t *testing.T) {
	root := t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(root, "f"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	hash, parts, err := fingerprint("shell", []byte(`{"a":"x","b":[1]}`), root, []string{"f"})
	if err != nil || len(parts) != 3 || strings.Contains(parts["argument a"], "x") {
		t.Fatalf("%v, %v", parts, err)
	}
	write("2")
	hash2, parts2, err := fingerprint("shell", []byte(`{"a":"y","b":[1]}`), root, []string{"f"})
	if err != nil || hash2 == hash || parts2["argument a"] == parts["argument a"] || parts2["file f"] == parts["file f"] ||
		parts2["argument b"] != parts["argument b"] {
		t.Errorf("%v, then %v, %v", parts, parts2, err)
	}
	if _, parts, err := fingerprint("x", nil, root, nil); err != nil || len(parts) != 0 {
		t.Errorf("without arguments: %v, %v", parts, err)
	}
}

// What a provider says of a box decides what is planned.
func TestPlanStates(t *testing.T) {
	e, f, _ := newEngine(t, "box \"a\" {}\nbox \"b\" { autostart = false }\n")
	a := e.Envfile.Box("a")
	id := ""
	for _, r := range []string{"a", "b"} {
		found, err := e.Find(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if r == "a" {
			id = found.Record.ID
		}
	}
	plan := func() Plan {
		t.Helper()
		plans, err := e.Plan(t.Context(), e.Envfile.Boxes[:1], true)
		if err != nil || len(plans) != 1 {
			t.Fatalf("%v, %v", plans, err)
		}
		return plans[0]
	}
	for _, c := range []struct {
		box  provider.Box
		want []Change
	}{
		{provider.Box{State: provider.Running}, nil},
		{provider.Box{State: provider.Stopped}, []Change{{Kind: "start", What: "start", Why: "it is stopped"}}},
		{provider.Box{State: provider.Frozen}, []Change{{Kind: "resume", What: "resume", Why: "it is suspended"}}},
	} {
		f.boxes[id] = c.box
		if diff := cmp.Diff(Plan{Box: "a", State: c.box.State, Changes: c.want}, plan()); diff != "" {
			t.Error(diff)
		}
	}
	f.on = func(context.Context, string) error { return errors.New("no answer") }
	if p := plan(); p.State != provider.Unknown || p.Changes[0].Kind != "unknown" || !strings.Contains(p.Changes[0].Why, "no answer") {
		t.Errorf("%+v", p)
	}
	f.on = nil
	a.Image = "y"
	if p := plan(); p.Changes[0].Command != "berth destroy a && berth up a" || !strings.Contains(p.Changes[0].Why, "from x and the Envfile now says y") {
		t.Errorf("%+v", p)
	}
	for _, call := range f.calls {
		if !strings.HasPrefix(call, "inspect ") {
			t.Errorf("the provider was asked to %s", call)
		}
	}
}

// Another login user takes another box, as another image does.
func TestPlanOfAnotherUser(t *testing.T) {
	e, _, _ := newEngine(t, "box \"a\" {\n  ssh {\n    user = \"root\"\n  }\n}\n")
	plans, err := e.Plan(t.Context(), e.Envfile.Boxes, false)
	if err != nil || len(plans) != 1 || len(plans[0].Changes) != 1 || plans[0].Changes[0].Kind != "user" ||
		plans[0].Changes[0].Command != "berth destroy a && berth up a" {
		t.Errorf("%+v, %v", plans, err)
	}
	found, err := e.Find(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	found.Record.SSH.User, found.Record.Restoring = "root", "before"
	if err := e.Home.Save(found.Record); err != nil {
		t.Fatal(err)
	}
	plans, err = e.Plan(t.Context(), e.Envfile.Boxes, false)
	if err != nil || len(plans[0].Changes) != 1 || plans[0].Changes[0].What != "restore snapshot before" {
		t.Errorf("an interrupted restore: %+v, %v", plans, err)
	}
}
