package setup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/berth-dev/berth/provider/lxc"
)

// subIDs sees to the ranges of ids that the user's boxes have (subuid(5)).
type subIDs struct{ h *host }

// rangeSize is how many ids a user gets, the usual number.
const rangeSize = 65536

// kinds are users and groups: the file, and usermod's options.
var kinds = []struct{ file, add, del string }{
	{"/etc/subuid", "--add-subuids", "--del-subuids"},
	{"/etc/subgid", "--add-subgids", "--del-subgids"},
}

func (s subIDs) missing() ([]change, error) {
	var all []change
	for i, k := range kinds {
		if _, err := lxc.UserRange(s.h.path(k.file), s.h.user.name, s.h.user.uid); err == nil {
			continue
		}
		text, err := os.ReadFile(s.h.path(k.file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		first := freeRange(string(text))
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

// freeRange returns the first id after all ranges that a file gives away, and not
// below where useradd begins (login.defs(5), SUB_UID_MIN).
func freeRange(text string) uint64 {
	const first = 100_000
	free := uint64(first)
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) != 3 {
			continue
		}
		begin, err1 := strconv.ParseUint(fields[1], 10, 32)
		count, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err1 == nil && err2 == nil {
			free = max(free, begin+count)
		}
	}
	return free
}
