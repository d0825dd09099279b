package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/provider"
)

// boxOf takes the box's name out of a call: "inspect p-web-0-12345678".
func boxOf(call string) string {
	_, id, _ := strings.Cut(call, " p-")
	return id[:len(id)-9]
}

func everything(t *testing.T, e *Engine, names ...string) []*config.Box {
	t.Helper()
	boxes, err := Select(e.Envfile, names, func(*config.Box) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return boxes
}

const chain = `
box "web" {
  count      = 3
  depends_on = ["db"]
}
box "db" {}
box "top" { depends_on = ["web"] }
`

// Boxes that depend on the same one come up at the same time, after it.
func TestUpInParallel(t *testing.T) {
	e, f, _ := newEngine(t, chain)
	meet := meeting(3)
	var mu sync.Mutex
	var order []string
	f.on = func(_ context.Context, call string) error {
		name := boxOf(call)
		if strings.HasPrefix(name, "web") {
			name = "web"
			if err := meet(); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		order = append(order, name)
		return nil
	}
	if err := e.Up(t.Context(), everything(t, e), UpOptions{NoProvision: true}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"db", "web", "web", "web", "top"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestUpOneAfterTheOther(t *testing.T) {
	e, f, _ := newEngine(t, chain)
	e.Parallel = 1
	var mu sync.Mutex
	f.on = func(context.Context, string) error {
		if !mu.TryLock() {
			return errors.New("not alone")
		}
		defer mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		return nil
	}
	if err := e.Up(t.Context(), everything(t, e), UpOptions{NoProvision: true}); err != nil {
		t.Fatal(err)
	}
}

func TestUpFailure(t *testing.T) {
	e, f, out := newEngine(t, chain+"box \"apart\" {\n  message = \"here I am\"\n}\nbox \"bad\" { message = \"not me\" }\n")
	f.on = func(_ context.Context, call string) error {
		if name := boxOf(call); name == "db" || name == "bad" {
			return errors.New("boom")
		}
		return nil
	}
	err := e.Up(t.Context(), everything(t, e), UpOptions{NoProvision: true})
	want := `up db: the state of the box is unknown, so nothing was done: boom
up bad: the state of the box is unknown, so nothing was done: boom
up web-0: nothing was done, since it depends on box "db", which failed
up web-1: nothing was done, since it depends on box "db", which failed
up web-2: nothing was done, since it depends on box "db", which failed
up top: nothing was done, since it depends on box "db", which failed`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if got := out.String(); got != "apart: is running\napart: here I am\n" {
		t.Errorf("said %q", got)
	}
}

func TestUpInterrupted(t *testing.T) {
	e, f, _ := newEngine(t, chain)
	ctx, cancel := context.WithCancel(t.Context())
	f.on = func(ctx context.Context, call string) error {
		cancel()
		return ctx.Err()
	}
	err := e.Up(ctx, everything(t, e), UpOptions{NoProvision: true})
	if len(f.calls) != 1 || !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "depends on") {
		t.Errorf("calls %q, error %v", f.calls, err)
	}
}

// What a named box depends on comes up too, and that is said.
func TestUpNeeds(t *testing.T) {
	e, f, out := newEngine(t, chain+`box "apart" {}`)
	record(t, e, "gone") // a box that the Envfile has lost
	if err := e.Up(t.Context(), everything(t, e, "web-1"), UpOptions{NoProvision: true}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range f.calls {
		got = append(got, boxOf(c))
	}
	if diff := cmp.Diff([]string{"db", "web-1"}, got); diff != "" {
		t.Errorf("boxes (-want +got):\n%s", diff)
	}
	for _, want := range []string{
		"also up, since others depend on them: db\n",
		`not in the Envfile any more, but still there: "gone" (berth destroy gone removes what is left)` + "\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("said %q, not %q", out, want)
		}
	}
}

// Down is the reverse of up, also across boxes that are not named.
func TestDownwards(t *testing.T) {
	for _, verb := range []string{"stop", "destroy"} {
		e, f, _ := newEngine(t, chain)
		gone := record(t, e, "gone")
		f.boxes[gone.ID] = provider.Box{State: provider.Running}
		boxes, err := e.Existing([]string{"top", "db", "g*"})
		if err != nil {
			t.Fatal(err)
		}
		f.on = func(_ context.Context, call string) error {
			if boxOf(call) == "top" {
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		}
		if verb == "stop" {
			err = e.Halt(t.Context(), boxes, false)
		} else {
			err = e.Destroy(t.Context(), boxes)
		}
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, c := range f.calls {
			if strings.HasPrefix(c, verb) {
				order = append(order, boxOf(c))
			}
		}
		if i, j := slices.Index(order, "top"), slices.Index(order, "db"); len(order) != 3 || i < 0 || i > j {
			t.Errorf("%s: %q", verb, order)
		}
	}
}

func TestDownInParallel(t *testing.T) {
	e, f, _ := newEngine(t, chain)
	boxes, err := e.Existing([]string{"web"})
	if err != nil {
		t.Fatal(err)
	}
	meet := meeting(3)
	f.on = func(_ context.Context, call string) error {
		if strings.HasPrefix(call, "destroy") {
			return meet()
		}
		return nil
	}
	if err := e.Destroy(t.Context(), boxes); err != nil {
		t.Error(err)
	}
}

func TestSelect(t *testing.T) {
	e, _, _ := newEngine(t, chain)
	for in, want := range map[string]string{
		"web":      "web-0 web-1 web-2",
		"web-1":    "web-1",
		"web-[01]": "web-0 web-1",
		"*":        "db web-0 web-1 web-2 top",
		"?b db":    "db",
		"x*":       `error: no box is named like "x*": there are "web-0", "web-1", "web-2", "db" and "top"`,
		"nope":     `error: there is no box "nope": there are "web-0", "web-1", "web-2", "db" and "top"`,
		"[":        `error: "[" is no pattern of names: "*" stands for any text, "?" for one character, "[a-c]" for one of several`,
	} {
		boxes, err := Select(e.Envfile, strings.Fields(in), nil)
		got := strings.Join(namesOf(boxes), " ")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	if _, err := One(e.Envfile, "web"); err == nil || err.Error() != `"web" means several boxes, and this is for one: name one of "web-0", "web-1" and "web-2"` {
		t.Errorf("One: %v", err)
	}
}

// A step that uses another box's address is decoded when that is known, and is
// another step when it changes.
func TestValues(t *testing.T) {
	e, f, _ := newEngine(t, `
box "db" {}
box "web" {
  provisioner "note" { text = "at ${box.db.ip}" }
  provisioner "note" { text = "for ${box.db.hostname}" }
  provisioner "note" {
    text = "never ${box.db.ip}"
    run  = "never"
  }
}`)
	db := record(t, e, "db")
	hashes := map[string]string{}
	for _, addr := range []string{"10.0.0.5:22", "10.0.0.6:22", "[fd00::5]:22"} {
		f.boxes[db.ID] = provider.Box{State: provider.Running, SSHAddr: addr}
		targets, err := e.prepare(t.Context(), everything(t, e, "web"), true)
		if err != nil {
			t.Fatal(err)
		}
		web := targets[0]
		if web.steps[0].args != nil || string(web.steps[1].args) != `"for db"` {
			t.Fatalf("before: %s, %s", web.steps[0].args, web.steps[1].args)
		}
		if err := e.resolve(t.Context(), web, ProvisionOptions{}.mayWant); err != nil {
			t.Fatal(err)
		}
		host := strings.Trim(strings.TrimSuffix(addr, ":22"), "[]")
		if got := string(web.steps[0].args); got != `"at `+host+`"` || web.steps[2].args != nil {
			t.Errorf("%s: steps are %s and %s", addr, got, web.steps[2].args)
		}
		if other := hashes[web.steps[0].hash]; other != "" {
			t.Errorf("%s and %s give the same step", addr, other)
		}
		hashes[web.steps[0].hash] = addr
	}
	f.boxes[db.ID] = provider.Box{State: provider.Stopped}
	targets, err := e.prepare(t.Context(), everything(t, e, "web"), true)
	if err != nil {
		t.Fatal(err)
	}
	err = e.resolve(t.Context(), targets[0], ProvisionOptions{}.mayWant)
	if err == nil || !strings.Contains(err.Error(), `uses a value of box "db": the box is stopped: start it with berth up db`) {
		t.Errorf("with a box that is stopped: %v", err)
	}
}

// A block that makes three boxes has its mistakes once.
func TestPrepareReportsOnce(t *testing.T) {
	e, _, _ := newEngine(t, "box \"web\" {\n  count = 3\n  provisioner \"note\" { txt = \"a\" }\n}\n")
	_, err := e.prepare(t.Context(), everything(t, e), true)
	var bad *DiagError
	if !errors.As(err, &bad) || len(bad.Diags) != 1 {
		t.Errorf("got %v", err)
	}
}
