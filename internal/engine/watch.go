package engine

import (
	"context"
	"errors"
	"time"
)

// How long a folder must be quiet before it is copied, and how long changes that
// go on and on can put that off.
const (
	quiet   = 150 * time.Millisecond
	putOff  = 2 * time.Second
	tryNext = time.Second // after a copy that failed
)

// watch copies the folder, and again whenever something in it has changed, until
// ctx ends. A box that does not answer, since it reboots or is halted, gets all
// that it missed when it does again; one that was destroyed ends it.
func (c *copier) watch(ctx context.Context) error {
	source := c.engine.folderPath(c.folder.Source)
	w, err := watchTree(source, c.folder.Exclude)
	if err != nil {
		return err
	}
	defer w.Close()
	// Watching comes first, so that nothing changes unseen in between.
	if err := c.copy(ctx); err != nil {
		return endOrError(ctx, err)
	}
	c.voice.Say("watching %s for changes (Ctrl-C ends it)", source)
	for failing := false; ; {
		if !failing {
			if err := w.wait(ctx); err != nil {
				return endOrError(ctx, err)
			}
		}
		begin := time.Now()
		err := c.copy(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, ErrNotCreated):
			return endOrError(ctx, err)
		case err == nil:
			c.voice.Say("copied %s after %s", c.folder.Source, time.Since(begin).Round(time.Millisecond))
			failing = false
			continue
		case !failing:
			c.voice.Warn("%s is not copied, and tried again until it is: %v", c.folder.Source, err)
			failing = true
		}
		select {
		case <-time.After(tryNext):
		case <-ctx.Done():
			return nil
		}
	}
}

// endOrError: being told to end is how watching ends.
func endOrError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
