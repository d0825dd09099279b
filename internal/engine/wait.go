package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/berth-dev/berth/internal/guest"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/provider"
)

// BootError is a box that runs but could not be entered. It carries what the
// box and its provider logged.
type BootError struct {
	Err  error
	Logs []provider.Log
}

func (e *BootError) Error() string {
	var b strings.Builder
	b.WriteString(e.Err.Error())
	for _, l := range e.Logs {
		if text := strings.TrimSpace(ui.Printable(l.Tail, false)); text != "" {
			fmt.Fprintf(&b, "\nEnd of the %s log (%s):\n  %s", l.Name, l.Path, strings.ReplaceAll(text, "\n", "\n  "))
		}
	}
	return b.String()
}

func (e *BootError) Unwrap() error { return e.Err }

// errDied means that the box stopped while its boot was waited for.
var errDied = errors.New("the box stopped while it was booting")

// wait waits until the box can be entered.
func (e *Engine) wait(ctx context.Context, t *target, keys state.Keys, timeout time.Duration) (*guest.Client, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client, err := guest.Wait(limited, guestTarget(t.record, keys), guest.WaitOptions{
		Alive: func(ctx context.Context) error {
			now, err := t.plugin.Inspect(ctx, t.id)
			if err == nil && now.State == provider.Stopped {
				return errDied
			}
			return nil // what could not be found out is no reason to give up
		},
		Stage: func(stage string) { t.voice.Stage("waiting for " + stage) },
	})
	if err == nil || ctx.Err() != nil {
		return client, err
	}
	logs, cancelLogs := cleanup(ctx)
	defer cancelLogs()
	boot := &BootError{Err: err}
	if errors.Is(err, context.DeadlineExceeded) {
		boot.Err = fmt.Errorf("%w (a longer boot_timeout in the Envfile, or --boot-timeout, gives it more time)", err)
	}
	boot.Logs, _ = t.plugin.Logs(logs, t.id) // they only help to understand err
	return nil, boot
}

// guestTarget says how the box of a record is entered.
func guestTarget(r *state.Record, keys state.Keys) guest.Target {
	return guest.Target{Addr: r.SSH.Addr, User: r.SSH.User, Key: keys.Private, HostKey: r.SSH.HostKey}
}
