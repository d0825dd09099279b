package state

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// readJSON reads one of the files that writeJSON writes.
func readJSON(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file in a folder of the data home, at once or not at all.
func (h *Home) writeJSON(dir, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := h.make(dir); err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, name), append(b, '\n'), 0o600)
}
