package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/provider"
)

// harbour is a provider, in a plugin, whose boxes are what a test says.
type harbour struct {
	ProviderPlugin
	provider.Provider
	mu       sync.Mutex
	boxes    map[string]provider.Box
	told     map[string][]provider.Host
	inspects int
	refuse   error
}

func (h *harbour) Bind([]byte) provider.Provider { return h }

func (h *harbour) Inspect(_ context.Context, id string) (provider.Box, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inspects++
	b, ok := h.boxes[id]
	if !ok {
		return b, provider.ErrNotFound
	}
	return b, nil
}

func (h *harbour) SetHosts(_ context.Context, id string, hosts []provider.Host) error {
	time.Sleep(time.Millisecond)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told[id] = hosts
	return h.refuse
}

func (h *harbour) put(id string, b provider.Box) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.boxes[id] = b
}

type harbours struct {
	Plugins
	h *harbour
}

func (p harbours) Provider(context.Context, string) (ProviderPlugin, error) { return p.h, nil }

// hostsEngine returns an engine for a project with boxes of these names.
func hostsEngine(t *testing.T, names ...string) (*Engine, *harbour, *strings.Builder) {
	t.Helper()
	home, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	project, err := home.EnsureProject(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{Envfile: &config.Envfile{}, Home: home, Project: project}
	e.Envfile.Project.Name = "shop"
	for _, n := range names {
		e.Envfile.Boxes = append(e.Envfile.Boxes, &config.Box{Name: n})
		if err := home.Save(&state.Record{ID: n + "-id", ProjectID: project.ID, Name: n}); err != nil {
			t.Fatal(err)
		}
	}
	h := &harbour{boxes: map[string]provider.Box{}, told: map[string][]provider.Host{}}
	e.Plugins = harbours{h: h}
	said := &strings.Builder{}
	e.UI = &ui.UI{Out: io.Discard, Err: said}
	return e, h, said
}

func up(main string, networks ...string) provider.Box {
	b := provider.Box{State: provider.Running, SSHAddr: main + ":22"}
	for _, n := range networks {
		name, ip, _ := strings.Cut(n, "=")
		b.Networks = append(b.Networks, provider.Network{Name: name, IP: ip})
	}
	return b
}

func TestTell(t *testing.T) {
	e, h, said := hostsEngine(t, "db", "web", "lone", "halted", "gone")
	h.put("db-id", up("10.177.0.2", "backend=10.60.0.10/24", "six=fd00::a/64"))
	h.put("web-id", up("10.177.0.3", "own=10.1.0.2/24", "six=fd00::b/64", "backend=10.60.0.11/24"))
	frozen := up("10.177.0.4")
	frozen.State = provider.Frozen
	h.put("lone-id", frozen)
	h.put("halted-id", provider.Box{State: provider.Stopped, SSHAddr: "10.177.0.5:22"})
	e.tell(t.Context(), e.UI.Box("db"))
	names := func(n string) []string { return []string{n, n + ".shop.berth"} }
	want := map[string][]provider.Host{
		// The first network of the reader that both have, else the main one.
		"db-id":   {{IP: "10.177.0.4", Names: names("lone")}, {IP: "10.60.0.11", Names: names("web")}},
		"web-id":  {{IP: "fd00::a", Names: names("db")}, {IP: "10.177.0.4", Names: names("lone")}},
		"lone-id": {{IP: "10.177.0.2", Names: names("db")}, {IP: "10.177.0.3", Names: names("web")}},
	}
	if d := cmp.Diff(want, h.told); d != "" {
		t.Error(d)
	}
	for _, quiet := range []error{provider.ErrUnsupported, provider.ErrNotRunning, provider.ErrNotFound} {
		h.refuse = fmt.Errorf("x: %w", quiet)
		e.tell(t.Context(), e.UI.Box("db"))
	}
	if said.Len() > 0 {
		t.Errorf("said %q", said)
	}
	h.refuse = errors.New("disk full")
	e.tell(t.Context(), e.UI.Box("db"))
	if !strings.Contains(said.String(), `box "web": disk full`) {
		t.Errorf("said %q", said)
	}
}

// Boxes that come up at once are all told of all, in few rounds.
func TestTellAtOnce(t *testing.T) {
	const boxes = 20
	var names []string
	for i := range boxes {
		names = append(names, fmt.Sprintf("box-%d", i))
	}
	e, h, said := hostsEngine(t, names...)
	var wg sync.WaitGroup
	for i, n := range names {
		wg.Go(func() {
			h.put(n+"-id", up(fmt.Sprintf("10.177.0.%d", i+2)))
			e.tell(t.Context(), e.UI.Box(n))
		})
	}
	wg.Wait()
	for _, n := range names {
		if got := len(h.told[n+"-id"]); got != boxes-1 {
			t.Errorf("%s was told of %d boxes", n, got)
		}
	}
	if rounds := h.inspects / boxes; rounds > boxes/2 {
		t.Errorf("it took %d rounds", rounds)
	} else {
		t.Logf("%d rounds for %d boxes", rounds, boxes)
	}
	if said.Len() > 0 {
		t.Errorf("said %q", said)
	}
}

// The last of several boxes is told that the others have gone, also if the Envfile
// has lost them.
func TestTellTheLast(t *testing.T) {
	e, h, _ := hostsEngine(t, "a", "b")
	h.put("a-id", up("10.177.0.2"))
	e.Envfile.Boxes = e.Envfile.Boxes[:1]
	if err := e.Home.Remove("b-id"); err != nil {
		t.Fatal(err)
	}
	e.tell(t.Context(), e.UI.Box("a"))
	if len(h.told) > 0 {
		t.Errorf("a box that has always been alone is told of nobody: %v", h.told)
	}
	e.rounds.fewer.Store(true) // as destroy does
	e.tell(t.Context(), e.UI.Box("a"))
	if hosts, told := h.told["a-id"]; !told || len(hosts) > 0 {
		t.Errorf("told %v, %v", hosts, told)
	}
}
