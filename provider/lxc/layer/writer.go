package layer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Writer writes a layer with what an upper folder has beyond the layers beneath.
// It can look at the folder twice: first while the box runs, which takes as long
// as the copying does, and then while the box stands still, which takes as long
// as looking at every file's times.
//
// The box's root may do anything with the upper folder meanwhile: all is done
// relative to open folders, no link is followed, and what is opened is looked at
// again.
type Writer struct {
	Attrs string // begins the names of overlayfs's attributes: RootAttrs or UserAttrs
	// Beneath is what the layers beneath have already, as the Look that wrote the
	// topmost returned it; nil copies all. BeneathCutoff is that Writer's Cutoff.
	Beneath       *Node
	BeneathCutoff int64
	// Cutoff is the time, in nanoseconds, from which on the first look's word is not
	// taken: see CutoffAt.
	Cutoff int64
	// Skip says what is left out, by its path from the top; nil: nothing.
	Skip func(path string) bool
	// Edit makes of a small file's text what is kept of it, by its path.
	Edit map[string]func(text string) string

	Size    int64 // bytes copied so far
	noClone bool  // the filesystem has no reflinks
	buf     []byte
}

// The beginnings of the names of overlayfs's own attributes. A user's overlay has
// others than the host's root's (overlayfs.rst, "userxattr").
const (
	RootAttrs = "trusted.overlay."
	UserAttrs = "user.overlay."
)

// clockGrain is more than a file's time can be behind the clock: the kernel's
// coarse clock moves every 10 ms or less.
const clockGrain = 20 * time.Millisecond

// CutoffAt returns the cutoff of a look that begins at a time.
//
// Writes through a mapping (mmap(2)) are stamped when they make a page dirty, and
// go unseen as long as it is. Where files can be written to while they are looked
// at, sync them between this time and the look.
func CutoffAt(begin time.Time) int64 { return begin.Add(-clockGrain).UnixNano() }

// errChanged means that a file became another between two looks at it.
var errChanged = errors.New("it changed meanwhile")

// look is one look at an upper folder.
type look struct {
	*Writer
	ctx   context.Context
	final bool // the box stands still
	// Names that an earlier look has copied say nothing: the folder that one was in
	// can have been moved, and another file have come to its place.
	links hardLinks
}

// Look brings the layer, whose top folder is open as out, to what the folder upper
// is now. before is what an earlier look has returned, nil for none. final says
// that nothing changes meanwhile; only then is the layer whole.
func (w *Writer) Look(ctx context.Context, upper string, out int, before *Node, final bool) (*Node, error) {
	u, err := unix.Open(upper, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the box's disk %s: %w", upper, err)
	}
	defer unix.Close(u)
	var st unix.Stat_t
	if err := unix.Fstat(u, &st); err != nil {
		return nil, fmt.Errorf("look at the box's disk %s: %w", upper, err)
	}
	l := &look{Writer: w, ctx: ctx, final: final, links: newHardLinks()}
	top := nodeOf(&st)
	o := &outDir{fd: out}
	if err := l.folder(u, o, w.Beneath, before, top); err != nil {
		return nil, err
	}
	if final {
		if err := l.joinNames(u, o); err != nil {
			return nil, err
		}
	}
	return top, l.attributes(u, o, &st)
}
