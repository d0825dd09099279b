package host

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/berth/provider"
)

func TestProviderExternalAndBuiltin(t *testing.T) {
	builtin := func(kind, name string) bool { return kind == "provider" && name == "inside" }
	m := newManager(t, Options{Builtin: builtin}, "berth-provider-ok")
	for _, name := range []string{"ok", "inside"} {
		p, err := m.Provider(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		box, err := p.Bind(nil).Inspect(t.Context(), "some-box")
		if err != nil || box.ID != "some-box" {
			t.Errorf("%s: Inspect = %+v, %v", name, box, err)
		}
		if err := p.Bind(nil).Destroy(t.Context(), "some-box", nil); err != provider.ErrNotFound {
			t.Errorf("%s: Destroy = %v, want ErrNotFound itself", name, err)
		}
	}
}

func TestConcurrentCallsShareOneStart(t *testing.T) {
	m := newManager(t, Options{}, "berth-provider-ok")
	var mu sync.Mutex
	pids := map[string]bool{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			p, err := m.Provider(t.Context(), "ok")
			if err != nil {
				t.Error(err)
				return
			}
			box, err := p.Bind(nil).Inspect(t.Context(), "x")
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			pids[box.SSHAddr] = true
		})
	}
	all.Wait()
	if len(pids) != 1 {
		t.Errorf("processes: %v, want one", pids)
	}
}

func TestEnvironmentOfPlugin(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary")
	t.Setenv("BERTH_VAR_password", "canary")
	t.Setenv("SSH_AUTH_SOCK", "canary")
	t.Setenv("BERTH_PLUGIN_DATA", "canary")
	t.Setenv("BERTH_LOG", "kept")
	t.Setenv("LC_ALL", "C.UTF-8")
	t.Setenv("https_proxy", "kept")
	m := newManager(t, Options{}, "berth-provider-ok")
	p, err := m.Provider(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	env := p.Bind(nil).Check(t.Context()).Error()
	for _, bad := range []string{"canary", "COOKIE", "PLUGIN_UNIX"} {
		if strings.Contains(env, bad) {
			t.Errorf("the plugin has %q in its environment:\n%s", bad, env)
		}
	}
	data := filepath.Join(m.o.DataHome, "provider", "ok")
	for _, good := range []string{"\nBERTH_LOG=kept", "\nLC_ALL=C.UTF-8", "\nhttps_proxy=kept", "\nPATH=", "\nBERTH_PLUGIN_DATA=" + data} {
		if !strings.Contains(env, good) {
			t.Errorf("the plugin lacks %q in its environment:\n%s", good, env)
		}
	}
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder: %v, %v; want mode 0700", info, err)
	}
}

func TestPluginDiesInMidCall(t *testing.T) {
	m := newManager(t, Options{}, "berth-provider-ok")
	p, err := m.Provider(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	var died *PluginError
	err = p.Bind(nil).Create(t.Context(), provider.Spec{Image: "die"}, nil)
	if !errors.As(err, &died) || died.Status != "exit status 3" || died.Op != "Create" || died.Log != "I am dying" {
		t.Fatalf("error %q (%+v), want a PluginError with exit status 3 and the log", err, died)
	}
	// A later command's call finds a new process.
	p, err = m.Provider(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	err = p.Bind(nil).Create(t.Context(), provider.Spec{Image: "panic"}, nil)
	if !errors.As(err, &died) || died.Status != "exit status 2" || !strings.HasPrefix(died.Log, "panic: out of rum") {
		t.Errorf("error %q, want a PluginError with the head of the panic", err)
	}
}

func TestCancelWaitsForTheUndoing(t *testing.T) {
	m := newManager(t, Options{Project: t.TempDir()}, "berth-provider-ok")
	p, err := m.Provider(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = p.Bind(nil).Create(ctx, provider.Spec{Image: "undo", Name: "undone"}, func(provider.Event) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
	if _, err := os.Stat(filepath.Join(m.o.Project, "undone")); err != nil {
		t.Error("Create returned before the plugin had undone its work:", err)
	}
}

func TestDeadlineReachesThePlugin(t *testing.T) {
	m := newManager(t, Options{Project: t.TempDir()}, "berth-provider-ok")
	p, err := m.Provider(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = p.Bind(nil).Create(ctx, provider.Spec{Image: "undo", Name: "x"}, nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want deadline exceeded", err)
	}
}

func TestCloseEndsWhatDoesNotEndByItself(t *testing.T) {
	for _, image := range []string{"stop", "stubborn"} {
		t.Run(image, func(t *testing.T) {
			m := newManager(t, Options{EndGrace: 200 * time.Millisecond}, "berth-provider-ok")
			p, err := m.Provider(t.Context(), "ok")
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan error, 1)
			go func() { got <- p.Bind(nil).Create(t.Context(), provider.Spec{Image: image}, nil) }()
			time.Sleep(100 * time.Millisecond)
			begin := time.Now()
			m.Close()
			if d := time.Since(begin); d > 2*time.Second {
				t.Errorf("Close took %s", d)
			}
			select {
			case err := <-got:
				if !errors.Is(err, ErrClosed) {
					t.Errorf("the call ended with %v, want ErrClosed", err)
				}
			case <-time.After(3 * time.Second):
				t.Error("the call goes on after Close")
			}
			if _, err := m.Provider(t.Context(), "ok"); err != ErrClosed {
				t.Errorf("Provider after Close: %v", err)
			}
		})
	}
}

func TestCloseIsQuickAndRemovesTheSockets(t *testing.T) {
	m := newManager(t, Options{}, "berth-provider-ok")
	if _, err := m.Provider(t.Context(), "ok"); err != nil {
		t.Fatal(err)
	}
	dir := m.sockets.path
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("socket folder: %v, %v; want mode 0700", info, err)
	}
	begin := time.Now()
	m.Close()
	// A process built with -race sleeps for a second before it exits.
	if d := time.Since(begin); d > 1500*time.Millisecond {
		t.Errorf("closing an idle plugin took %s", d)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("socket folder after Close: %v", err)
	}
}

func TestCloseDuringStart(t *testing.T) {
	m := newManager(t, Options{EndGrace: 100 * time.Millisecond}, "berth-provider-hangs")
	got := make(chan error, 1)
	go func() {
		_, err := m.Provider(t.Context(), "hangs")
		got <- err
	}()
	time.Sleep(100 * time.Millisecond)
	m.Close()
	select {
	case err := <-got:
		if !errors.Is(err, ErrClosed) {
			t.Errorf("error %v, want ErrClosed", err)
		}
	case <-time.After(3 * time.Second):
		t.Error("the start goes on after Close")
	}
}

func TestChildrenOfThePlugin(t *testing.T) {
	dir := t.TempDir()
	m := newManager(t, Options{Project: dir}, "berth-provider-ok")
	p, err := m.Provider(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Bind(nil).Create(t.Context(), provider.Spec{Image: "children", Name: "pids"}, nil); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	m.Close()
	if d := time.Since(begin); d > 1500*time.Millisecond {
		t.Errorf("Close took %s: it waits for a stream that a child holds", d)
	}
	ids, err := os.ReadFile(filepath.Join(dir, "pids"))
	if err != nil {
		t.Fatal(err)
	}
	inGroup, left, _ := strings.Cut(string(ids), " ")
	waitGone(t, inGroup)
	if !alive(left) {
		t.Error("the child that left the group was killed; the monitor of a box would be")
	}
	syscall.Kill(atoi(t, left), syscall.SIGKILL)
}

func TestPluginIgnoresInterruptAndNoise(t *testing.T) {
	m := newManager(t, Options{}, "berth-provider-ok", "berth-provider-chatty")
	for _, name := range []string{"ok", "chatty"} {
		p, err := m.Provider(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, image := range []string{"interrupt", "noise", "flood"} {
			if err := p.Bind(nil).Create(t.Context(), provider.Spec{Image: image}, nil); err != nil {
				t.Errorf("%s: %s: %v", name, image, err)
			}
		}
	}
}

// TestOutputGoesToTheLog prints on standard output, which the SDK has moved.
func TestOutputGoesToTheLog(t *testing.T) {
	var log bytes.Buffer
	m := newManager(t, Options{
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, "berth-provider-ok")
	p, err := m.Provider(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Bind(nil).Create(t.Context(), provider.Spec{Image: "print"}, nil); err != nil {
		t.Error(err)
	}
	m.Close() // after it, all output has been read
	if want := `level=DEBUG msg="a stray print" plugin=provider/ok`; !strings.Contains(log.String(), want) {
		t.Errorf("log:\n%swant %s", log.String(), want)
	}
}

func TestSlowReportSlowsThePluginDown(t *testing.T) {
	m := newManager(t, Options{}, "berth-provider-ok")
	p, err := m.Provider(t.Context(), "ok")
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	err = p.Bind(nil).Create(t.Context(), provider.Spec{Image: "flood"}, func(e provider.Event) {
		if n%1000 == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		if e.Done != n {
			t.Fatalf("event %d comes as number %d", e.Done, n)
		}
		n++
	})
	if err != nil || n != 10000 {
		t.Errorf("%d events, %v; want all 10000", n, err)
	}
}
