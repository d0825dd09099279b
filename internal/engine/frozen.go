package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// OfflineError is what up would have to get from the network.
type OfflineError struct{ Missing []Missing }

func (e *OfflineError) Error() string {
	lines := []string{"--offline, and not everything is on this host:"}
	for _, m := range e.Missing {
		lines = append(lines, fmt.Sprintf("  %s, for %s", m.What, quoted(m.Boxes)))
	}
	return strings.Join(append(lines, "berth up without --offline gets it, and berth lock gets what all boxes need; what is local, berth image import brings"), "\n")
}

// agree makes sure, before anything is done, that up finds what it is told to
// keep to: with Frozen that all is as Envfile.lock has it, with Offline that
// nothing has to be got. Only boxes that do not exist yet need their image.
func (e *Engine) agree(ctx context.Context, targets []*target, o UpOptions) error {
	if !o.Frozen && !o.Offline {
		return nil
	}
	var lock *state.LockFile
	if o.Frozen {
		var err error
		if lock, err = state.LoadLockFile(e.Envfile.Root); err != nil {
			if errors.Is(err, state.ErrNoLockFile) {
				err = fmt.Errorf("--frozen: %w in %s: berth lock writes it", err, e.Envfile.Root)
			}
			return err
		}
	}
	var create, existing []*target
	for _, t := range targets {
		made := t.record != nil && t.record.Made
		if made { // unless somebody has removed it without berth
			_, err := t.plugin.Inspect(ctx, t.id)
			made = !errors.Is(err, provider.ErrNotFound)
		}
		if made {
			existing = append(existing, t)
		} else {
			create = append(create, t)
		}
	}
	if o.Frozen {
		if err := e.agreePlugins(targets, lock); err != nil {
			return err
		}
		if err := agreeBoxes(shared(existing), lock); err != nil {
			return err
		}
		if !o.NoProvision { // else none are run, nor looked at
			if err := e.agreeSteps(targets, lock); err != nil {
				return err
			}
		}
	}
	now, missing, err := e.lockable(ctx, create, !o.Offline)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return &OfflineError{missing}
	}
	if !o.Frozen {
		return nil
	}
	now.Plugins = lock.Plugins // they have been compared
	return e.lockErrorOf(lock, now)
}

// lockErrorOf is the error for what is not as the lock has it. Boxes that this
// command is not about may need more than it sees.
func (e *Engine) lockErrorOf(lock, now *state.LockFile) error {
	var differ []Difference
	for _, d := range compare(lock, now, runtime.GOARCH) {
		if !d.Gone {
			differ = append(differ, d)
		}
	}
	if len(differ) > 0 {
		return &LockError{differ}
	}
	return nil
}

func (e *Engine) agreePlugins(targets []*target, lock *state.LockFile) error {
	plugins, err := e.lockablePlugins(targets)
	if err != nil {
		return err
	}
	return e.lockErrorOf(lock, &state.LockFile{Plugins: plugins})
}

// agreeSteps compares what the steps consist of that the boxes are made by, and
// with which of them boxes that exist have been.
func (e *Engine) agreeSteps(targets []*target, lock *state.LockFile) error {
	boxes, err := e.lockedBoxes(targets)
	if err != nil {
		return err
	}
	differ := compareSteps(lock, &state.LockFile{Boxes: boxes})
	for _, t := range shared(targets) {
		if t.record == nil {
			continue // up runs them all
		}
		if changed := t.changedSteps(); len(changed) > 0 {
			differ = append(differ, Difference{What: fmt.Sprintf("box %q", t.box.Name), Text: fmt.Sprintf(
				"it has not got these steps as they are now: %s: berth provision %s runs them", strings.Join(changed, ", "), t.box.Name)})
		}
	}
	if len(differ) > 0 {
		return &LockError{differ}
	}
	return nil
}

// agreeBoxes compares what boxes were made of.
func agreeBoxes(targets []*target, lock *state.LockFile) error {
	var differ []Difference
	for _, t := range targets {
		locked := lock.Image(state.LockedImage{Provider: t.record.Provider, Image: t.record.Image, Arch: runtime.GOARCH}.Key())
		what := fmt.Sprintf("box %q", t.box.Name)
		switch {
		case t.record.ImageDigest == "":
			continue // its provider has no images that could differ
		case locked == nil:
			differ = append(differ, Difference{What: what, Text: fmt.Sprintf("its image %q is not locked for %s", t.record.Image, runtime.GOARCH), New: true})
		case locked.Digest != t.record.ImageDigest:
			differ = append(differ, Difference{What: what, Text: fmt.Sprintf("it was made of %s, and the lock has %s: berth destroy %s, then up makes it of that",
				short(t.record.ImageDigest), short(locked.Digest), t.box.Name)})
		}
	}
	if len(differ) > 0 {
		return &LockError{differ}
	}
	return nil
}

// noteImage puts on record what a box was made of, and warns where that is not
// what the team has locked.
func (e *Engine) noteImage(ctx context.Context, t *target) {
	img, err := e.imageOf(ctx, t, false)
	if err != nil || t.record.Image != t.box.Image {
		return // a provider without images, or a box that was there before
	}
	t.record.ImageDigest = img.Digest
	lock, err := state.LoadLockFile(e.Envfile.Root)
	if err != nil {
		return // berth lock and --frozen complain
	}
	if locked := lock.Image(img.Key()); locked != nil && locked.Digest != img.Digest {
		t.voice.Warn("%s says otherwise of its image: %s\nberth up --frozen refuses that, berth lock --update takes it",
			state.LockFileName, compareImages(*locked, img))
	}
}
