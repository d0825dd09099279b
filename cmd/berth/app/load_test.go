package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// An interrupt ends a command that is still loading.
func TestLoadIsInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Envfile")
	if err := os.WriteFile(path, []byte("box \"a\" { image = \"x\" }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	d := &deps{}
	if file, diags, err := d.load(ctx, path); err != nil || diags.HasErrors() || len(file.Boxes) != 1 {
		t.Fatalf("%v, %v", err, diags)
	}
	cancel(errInterrupted)
	if _, _, err := d.load(ctx, path); !errors.Is(err, errInterrupted) {
		t.Errorf("interrupted: %v", err)
	}
}
