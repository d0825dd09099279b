package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Home is the data home.
type Home struct{ dir string }

// DefaultDir returns where the data home is: $BERTH_HOME, else for root
// /var/lib/berth, else berth in the user's data folder (XDG Base Directory
// Specification).
func DefaultDir(getenv func(string) string, uid int) (string, error) {
	if dir := getenv("BERTH_HOME"); dir != "" {
		if !filepath.IsAbs(dir) {
			return "", fmt.Errorf("$BERTH_HOME is %q: it must be an absolute path", dir)
		}
		return filepath.Clean(dir), nil
	}
	if uid == 0 {
		return "/var/lib/berth", nil
	}
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "berth"), nil
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", errors.New("neither $BERTH_HOME nor $HOME says where to keep data")
	}
	return filepath.Join(home, ".local/share/berth"), nil
}

// Open returns the data home in dir. The folder is made when something is first
// written to it.
func Open(dir string) (*Home, error) {
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Home{dir: dir}, nil
	case err != nil:
		return nil, fmt.Errorf("open the data home: %w", err)
	case !st.IsDir():
		return nil, fmt.Errorf("open the data home: %s is not a folder", dir)
	}
	return &Home{dir: dir}, nil
}

// Dir returns the path of the data home.
func (h *Home) Dir() string { return h.dir }

func (h *Home) boxes() string           { return filepath.Join(h.dir, "boxes") }
func (h *Home) boxDir(id string) string { return filepath.Join(h.dir, "boxes", id) }

// BoxDir returns the folder of a box, where it is once the box has a record.
func (h *Home) BoxDir(id string) string { return h.boxDir(id) }

// make makes a folder of the data home, for its owner only.
func (h *Home) make(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data home: %w", err)
	}
	return nil
}
