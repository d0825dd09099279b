package engine

import (
	"context"
	"errors"
)

// OnError is what up does with a box in which a step has failed.
type OnError string

// What it can do. The zero value is to keep the box.
const (
	KeepOnError    OnError = "keep"
	ShellOnError   OnError = "shell"   // let the user in, and keep it
	DestroyOnError OnError = "destroy" // remove it, if this command has made it
)

// stepFailed does what is wanted after a step has failed, and returns its error.
func (e *Engine) stepFailed(ctx context.Context, t *target, o UpOptions, failed error) error {
	var step *StepError
	var refused *RefusedError
	if ctx.Err() != nil || !errors.As(failed, &step) && !errors.As(failed, &refused) {
		return failed
	}
	switch o.OnError {
	case DestroyOnError:
		if !t.fresh {
			t.voice.Warn("it was there before this command, so it is kept (berth destroy %s removes it)", t.box.Name)
			return failed
		}
		if err := e.endForwards(ctx, t.id, true); err != nil {
			return errors.Join(failed, err)
		}
		return e.rollBack(ctx, t, failed)
	case ShellOnError:
		access, err := e.Access(t.box)
		if err != nil {
			return errors.Join(failed, err)
		}
		e.shells.Lock() // one at a time: there is one keyboard
		defer e.shells.Unlock()
		e.UI.EndLive()
		t.voice.Warn("%s", failed.Error())
		t.voice.Say("a shell in the box, to look at it; berth up goes on from the failed step")
		return errors.Join(failed, o.Shell(ctx, access))
	}
	return failed
}
