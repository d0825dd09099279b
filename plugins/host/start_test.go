package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/berth/provisioner"
)

// TestStartErrors starts a zoo of bad plugins; each error says what is wrong.
func TestStartErrors(t *testing.T) {
	m := newManager(t, Options{StartTimeout: time.Second},
		"berth-provider-prints", "berth-provider-panics", "berth-provider-exits", "berth-provider-killed",
		"berth-provider-hangs", "berth-provider-newer", "berth-provider-confused", "berth-provider-badtag")
	write := func(name, content string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(m.o.Path, "berth-provider-"+name)
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("text", "this is no program", 0o755)
	write("script", "#!/bin/sh\necho usage: script FILE >&2; exit 1", 0o755)
	write("silent", "#!/bin/sh\n", 0o755)
	write("nointerpreter", "#!/no/such/interpreter\n", 0o755)
	write("arm", armProgram(t), 0o755)
	write("notexec", "#!/bin/sh\n", 0o644)
	write("open", "#!/bin/sh\n", 0o757)
	if err := os.Mkdir(filepath.Join(m.o.Path, "berth-provider-folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"prints":        `is not a Berth plugin, or prints before it serves; instead of the handshake it printed "hello from the package"`,
		"panics":        "ended before it was ready (is it a Berth plugin?): exit status 2; it printed:\n    panic: assignment to entry in nil map",
		"exits":         "ended before it was ready (is it a Berth plugin?): exit status 7; it printed:\n    cannot find my hat",
		"killed":        "ended before it was ready (is it a Berth plugin?): signal: killed",
		"hangs":         "was not ready in 1s",
		"newer":         "speaks version 7 of the plugin protocol and this berth speaks 1",
		"confused":      "is a Berth plugin, but not a provider",
		"badtag":        "cannot be used: field Bad of host.badTag: an argument cannot have the Go type chan int",
		"text":          "is not a program; this host runs",
		"script":        "exit status 1; it printed:\n    usage: script FILE",
		"silent":        "ended before it was ready (is it a Berth plugin?): exit status 0",
		"nointerpreter": "needs an interpreter or a dynamic loader that is not there",
		"arm":           "is a program for ARM; this host runs",
		"notexec":       "is not executable (chmod +x)",
		"open":          "is writable by everybody",
		"folder":        "is not a file",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Provider(t.Context(), name)
			var start *StartError
			if !errors.As(err, &start) {
				t.Fatalf("error %v, want a StartError", err)
			}
			begin := fmt.Sprintf("start provider plugin %q: %s/berth-provider-%s ", name, m.o.Path, name)
			rest, ok := strings.CutPrefix(err.Error(), begin)
			if !ok || !strings.Contains(rest, want) {
				t.Errorf("error %q, want %q…%q", err, begin, want)
			}
		})
	}
}

// armProgram returns a program for a processor of another kind.
func armProgram(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	b = b[:4096]
	b[18], b[19] = 40, 0 // e_machine: EM_ARM
	b[40], b[41], b[42] = 0, 0, 0
	b[48], b[60], b[62] = 0, 0, 0 // no section headers, which are cut off
	return string(b)
}

func TestProjectFolderIsMissing(t *testing.T) {
	m := newManager(t, Options{Project: "/no/such/project"}, "berth-provider-ok")
	_, err := m.Provider(t.Context(), "ok")
	if err == nil || !strings.Contains(err.Error(), "cannot run in /no/such/project, which does not exist") {
		t.Error(err)
	}
}

func TestPluginRunByHand(t *testing.T) {
	dir := pluginDir(t, "berth-provider-ok")
	out, err := exec.Command(filepath.Join(dir, "berth-provider-ok")).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("error %v, want exit status 1", err)
	}
	want := "this is a provider plugin of Berth; put it into a folder of $BERTH_PLUGIN_PATH and berth starts it\n"
	if string(out) != want {
		t.Errorf("output %q, want %q", out, want)
	}
}

// guest is one whose commands run until ctx ends.
type guest struct {
	running chan struct{}
	ended   chan error
}

func newGuest() *guest { return &guest{make(chan struct{}), make(chan error, 1)} }

func (g *guest) Info() provisioner.Info { return provisioner.Info{} }
func (g *guest) Report(string)          {}
func (g *guest) Run(ctx context.Context, _ provisioner.Cmd) error {
	close(g.running)
	<-ctx.Done()
	g.ended <- ctx.Err()
	return ctx.Err()
}
func (g *guest) Upload(context.Context, string, string, provisioner.FileOptions) error { return nil }
func (g *guest) Download(context.Context, string, string) error                        { return nil }

func TestPluginDiesWhileTheGuestWorks(t *testing.T) {
	m := newManager(t, Options{}, "berth-provisioner-ok")
	p, err := m.Provisioner(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	g := newGuest()
	err = p.Provision(t.Context(), []byte(`{"die":true}`), g)
	var died *PluginError
	if !errors.As(err, &died) || died.Status != "exit status 4" {
		t.Errorf("error %v, want a PluginError with exit status 4", err)
	}
	select {
	case <-g.ended:
	default:
		t.Error("Provision returned while the guest's command runs")
	}
}

func TestCloseWhileTheGuestWorks(t *testing.T) {
	m := newManager(t, Options{}, "berth-provisioner-ok")
	p, err := m.Provisioner(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	g := newGuest()
	got := make(chan error, 1)
	go func() { got <- p.Provision(t.Context(), nil, g) }()
	<-g.running
	m.Close()
	select {
	case <-got:
	case <-time.After(3 * time.Second):
		t.Fatal("Provision goes on after Close")
	}
	<-g.ended
}

func TestCancelReachesTheGuest(t *testing.T) {
	m := newManager(t, Options{}, "berth-provisioner-ok")
	p, err := m.Provisioner(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	g := newGuest()
	ctx, cancel := context.WithCancel(t.Context())
	var at time.Time
	go func() {
		<-g.running
		at = time.Now()
		cancel()
	}()
	if err := p.Provision(ctx, nil, g); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
	<-g.ended
	if d := time.Since(at); d > 500*time.Millisecond {
		t.Errorf("cancelling took %s", d)
	}
}

// BenchmarkStart measures a built-in plugin from nothing to its schema, and its
// end.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		m := New(Options{Builtin: func(string, string) bool { return true }})
		if _, err := m.Provider(b.Context(), "x"); err != nil {
			b.Fatal(err)
		}
		m.Close()
	}
}

func BenchmarkInspect(b *testing.B) {
	m := New(Options{Builtin: func(string, string) bool { return true }})
	defer m.Close()
	p, err := m.Provider(b.Context(), "x")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.Bind(nil).Inspect(b.Context(), "x"); err != nil {
			b.Fatal(err)
		}
	}
}
