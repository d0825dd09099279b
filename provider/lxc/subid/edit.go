package subid

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// usermod(8) edits these files too, but refuses to take ids from a user who has
// any process, and knows no users but those of /etc/passwd.

// line is how a range is written.
func (r Range) line() string { return fmt.Sprintf("%s:%d:%d", r.Owner, r.First, r.Count) }

// Add gives a range, unless it is given already. Somebody else's must not overlap.
func Add(path string, r Range) error {
	return edit(path, func(text string) (string, error) {
		for _, has := range Parse(strings.NewReader(text)) {
			switch {
			case has == r:
				return text, nil
			case has.Overlaps(r):
				return "", fmt.Errorf("%s has meanwhile been given to %s: try again", r.line(), has.Owner)
			}
		}
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		return text + r.line() + "\n", nil
	})
}

// Remove takes a range back that was given as it is, if it still is.
func Remove(path string, r Range) error {
	return edit(path, func(text string) (string, error) {
		var rest strings.Builder
		for line := range strings.Lines(text) {
			if strings.TrimSpace(line) != r.line() {
				rest.WriteString(line)
			}
		}
		return rest.String(), nil
	})
}

// edit changes a file under its lock, in one step, and leaves mode and owner as
// they are.
func edit(path string, change func(text string) (string, error)) error {
	unlock, err := lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := change(string(old))
	if err != nil {
		return fmt.Errorf("change %s: %w", path, err)
	}
	if text == string(old) {
		return nil
	}
	return replace(path, text)
}

func replace(path, text string) error {
	// Everybody may read it: newuidmap's caller finds its ids there.
	f, err := renameio.NewPendingFile(path, renameio.WithStaticPermissions(0o644), renameio.WithExistingPermissions())
	if err != nil {
		return fmt.Errorf("change %s: %w", path, err)
	}
	defer f.Cleanup()
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil {
		if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return fmt.Errorf("change %s: %w", path, err)
		}
	}
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("change %s: %w", path, err)
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("change %s: %w", path, err)
	}
	return nil
}
