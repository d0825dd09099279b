package app

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/berth-dev/berth/internal/guest"
)

// rawTerminal gives the keyboard to the box: keys such as Ctrl-C go there. The
// size of the window follows this one.
func rawTerminal(ctx context.Context, in, out int) (restore func(), tty *guest.TTY, err error) {
	width, height, err := term.GetSize(out)
	if err != nil {
		return nil, nil, fmt.Errorf("read the size of the terminal: %w", err)
	}
	before, err := term.MakeRaw(in)
	if err != nil {
		return nil, nil, fmt.Errorf("set up the terminal: %w", err)
	}
	resize := make(chan guest.Size, 1)
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			if w, h, err := term.GetSize(out); err == nil {
				select {
				case resize <- guest.Size{Width: w, Height: h}:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	restore = func() {
		signal.Stop(changed)
		_ = term.Restore(in, before) // the process ends next
	}
	return restore, &guest.TTY{Term: os.Getenv("TERM"), Width: width, Height: height, Resize: resize}, nil
}
