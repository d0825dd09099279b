package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/berth-dev/berth/provider/lxc"
	"github.com/berth-dev/berth/provider/lxc/subid"
)

// subIDs sees to the ranges of ids that the user's boxes have (subuid(5)).
type subIDs struct{ h *host }

// rangeSize is how many ids a user gets, the usual number.
const rangeSize = 65536

// files are those for users and for groups.
var files = []string{subid.Users, subid.Groups}

func (s subIDs) missing() ([]change, error) {
	var all []change
	for i, file := range files {
		if _, err := lxc.UserRange(s.h.path(file), s.h.user.name, s.h.user.uid); err == nil {
			continue
		}
		given, err := subid.Load(s.h.path(file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		first, err := freeRange(given)
		if err != nil {
			return nil, fmt.Errorf("find ids for %s in %s: %w", s.h.user.name, file, err)
		}
		r := subid.Range{Owner: s.h.user.name, First: first, Count: rangeSize}
		all = append(all, change{fmt.Sprintf("give %s the ids %s, in %s", r.Owner, span(r), file), func(context.Context) error {
			*s.noted(i) = span(r)
			if err := s.h.done.save(); err != nil {
				return err
			}
			return subid.Add(s.h.path(file), r)
		}})
	}
	return all, nil
}

// span is how the journal has a range.
func span(r subid.Range) string { return fmt.Sprintf("%d-%d", r.First, r.First+r.Count-1) }

// spanned reads it.
func spanned(owner, text string) (subid.Range, error) {
	var first, last uint64
	if _, err := fmt.Sscanf(text, "%d-%d", &first, &last); err != nil || last < first {
		return subid.Range{}, fmt.Errorf("read what setup has changed so far: %q is no range of ids", text)
	}
	return subid.Range{Owner: owner, First: first, Count: last - first + 1}, nil
}

// noted is where the journal has a range.
func (s subIDs) noted(kind int) *string {
	u := s.h.done.of(s.h.user.name)
	return []*string{&u.SubUIDs, &u.SubGIDs}[kind]
}

func (s subIDs) undo() ([]change, error) {
	if s.h.done.Users[s.h.user.name] == nil {
		return nil, nil
	}
	var all []change
	for i, file := range files {
		if *s.noted(i) == "" {
			continue
		}
		r, err := spanned(s.h.user.name, *s.noted(i))
		if err != nil {
			return nil, err
		}
		all = append(all, change{fmt.Sprintf("take the ids %s from %s, in %s", span(r), r.Owner, file), func(context.Context) error {
			if err := subid.Remove(s.h.path(file), r); err != nil {
				return err
			}
			*s.noted(i) = ""
			return s.h.done.save()
		}})
	}
	return all, nil
}

// Where useradd looks for ids of its own accord (login.defs(5), SUB_UID_MIN and
// SUB_UID_MAX).
const (
	firstSubID = 100_000
	lastSubID  = 600_100_000
)

// freeRange returns the first id of a range that nobody has been given.
func freeRange(given []subid.Range) (uint64, error) {
	given = slices.SortedFunc(slices.Values(given), func(a, b subid.Range) int { return cmp.Compare(a.First, b.First) })
	free := subid.Range{First: firstSubID, Count: rangeSize}
	for _, r := range given {
		if r.Overlaps(free) {
			free.First = r.First + r.Count
		}
	}
	if free.First+free.Count-1 > lastSubID {
		return 0, fmt.Errorf("no %d ids in a row are free between %d and %d", rangeSize, firstSubID, lastSubID)
	}
	return free.First, nil
}
