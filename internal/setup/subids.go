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

// kinds are users and groups: the file, and usermod's options.
var kinds = []struct{ file, add, del string }{
	{subid.Users, "--add-subuids", "--del-subuids"},
	{subid.Groups, "--add-subgids", "--del-subgids"},
}

func (s subIDs) missing() ([]change, error) {
	var all []change
	for i, k := range kinds {
		if _, err := lxc.UserRange(s.h.path(k.file), s.h.user.name, s.h.user.uid); err == nil {
			continue
		}
		given, err := subid.Load(s.h.path(k.file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		first, err := freeRange(given)
		if err != nil {
			return nil, fmt.Errorf("find ids for %s in %s: %w", s.h.user.name, k.file, err)
		}
		span := fmt.Sprintf("%d-%d", first, first+rangeSize-1)
		all = append(all, change{fmt.Sprintf("give %s the ids %s, in %s", s.h.user.name, span, k.file), func(ctx context.Context) error {
			*s.noted(i) = span
			if err := s.h.done.save(); err != nil {
				return err
			}
			return s.h.run(ctx, "usermod", k.add, span, s.h.user.name)
		}})
	}
	return all, nil
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
	for i, k := range kinds {
		span := *s.noted(i)
		if span == "" {
			continue
		}
		all = append(all, change{fmt.Sprintf("take the ids %s from %s, in %s", span, s.h.user.name, k.file), func(ctx context.Context) error {
			if err := s.h.run(ctx, "usermod", k.del, span, s.h.user.name); err != nil {
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
