package provider

import (
	"context"
	"time"
)

// Janitor tells what a provider keeps on the host, and removes what nothing
// needs any more.
type Janitor interface {
	// Space returns what uses space, in any order. It changes nothing.
	Space(ctx context.Context) ([]Use, error)
	// Collect removes what nothing needs, and calls removed for each thing when it
	// is gone; with DryRun it only says what it would remove. What a box or a
	// checkpoint that stays needs is never removed, nor what another call is just
	// making. It may come beside calls for any box, and what is killed in it is
	// finished by the next one. Both functions may be nil.
	Collect(ctx context.Context, c Collection, removed func(Use), report Report) error
}

// Use is something that uses space.
type Use struct {
	Kind   UseKind
	Name   string    // an image's name, a checkpoint's key, the id of a box, or of a project for its cache; empty for what checkpoints that are gone have left to others
	Digest string    // of an image
	Size   int64     // bytes of its own: added up over all uses, they are what is used; of what was removed, what that has freed
	Shared int64     // bytes of others that it stands on
	Used   time.Time // when something was last made of it; zero when not known
	Needed bool      // a box, or a checkpoint, stands on it
}

// UseKind is what something is.
type UseKind string

// The kinds. One that this side of the wire does not know is a Leftover.
const (
	UseImage      UseKind = "image"
	UseCheckpoint UseKind = "checkpoint"
	UseBox        UseKind = "box"      // a box's own disk
	UseCache      UseKind = "cache"    // packages that the boxes of a project share
	UseLeftover   UseKind = "leftover" // half made, or without a name that leads to it
)

// Collection says what Collect may remove.
type Collection struct {
	DryRun bool
	// OlderThan is how long images, checkpoints and caches must not have been used.
	OlderThan time.Duration
	// Keep is how many bytes of images and checkpoints that nothing needs may stay
	// beside: what was used longest ago goes first. Nil sets no limit.
	Keep *int64
	// Checkpoints are the keys of those that may go at all. Others belong to
	// somebody: they are needed.
	Checkpoints []string
	// Images are the digests of those that must stay, and KeepImages says that all
	// must.
	Images     []string
	KeepImages bool
	// Projects are those that have boxes, whose caches stay.
	Projects []string
}
