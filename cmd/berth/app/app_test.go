package app

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/berth/internal/engine"
	"github.com/berth-dev/berth/internal/forward"
	"github.com/berth-dev/berth/internal/ui"
)

// A signal that nohup or a shell has ignored stays so; another interrupts.
func TestIgnoredSignals(t *testing.T) {
	signal.Ignore(syscall.SIGHUP, os.Interrupt)
	t.Cleanup(func() { signal.Reset(syscall.SIGHUP, os.Interrupt, syscall.SIGTERM) })
	var out bytes.Buffer
	ctx, stop := interruptible(&deps{ui: &ui.UI{Err: &out}})
	defer stop()
	if !signal.Ignored(syscall.SIGHUP) || !signal.Ignored(os.Interrupt) {
		t.Fatal("an ignored signal is taken back")
	}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT} {
		_ = syscall.Kill(os.Getpid(), s)
	}
	select {
	case <-ctx.Done():
		t.Error("an ignored signal interrupts")
	case <-time.After(100 * time.Millisecond):
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
	select {
	case <-ctx.Done():
		if !errors.Is(context.Cause(ctx), errInterrupted) {
			t.Error(context.Cause(ctx))
		}
	case <-time.After(10 * time.Second):
		t.Error("SIGTERM does not interrupt")
	}
}

// What an Envfile or a box has put into answers does not command the terminal.
func TestSafeAnswers(t *testing.T) {
	const evil = "\x1b]52;c;ZXZpbA==\x07\x1b[2Jx\ty"
	var out bytes.Buffer
	d := &deps{ui: &ui.UI{Out: &out, Err: &out}}
	table := newTable(&out, "BOX", "STATE")
	table.row("web", evil+"\nfake   row")
	ports := []engine.PortsOf{{Box: "web", State: forward.Up, Ports: []forward.Port{{Rule: forward.Rule{Name: "web" + evil, Protocol: "tcp", Guest: ":80", Host: "h" + evil + ":80"}, Problem: evil}}}}
	for _, err := range []error{
		table.flush(),
		writeNotes(&out, []string{"web: " + evil}),
		writePlan(&out, []engine.Plan{{Box: "web", State: "running", Changes: []engine.Change{{What: "step " + evil + "\nfake", Why: "new " + evil + "\nfake"}}}}),
		d.writePorts(ports),
		writeHostAddress(&out, ports, "80"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	got := out.String()
	if strings.ContainsAny(got, "\x1b\x07") {
		t.Errorf("got %q", got)
	}
	for _, want := range []string{"web   x y fake   row\n", "web: x\ty\n", "  + step x y fake: new x\ty\n          fake\n", "hx y:80\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
}
