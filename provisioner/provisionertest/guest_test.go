package provisionertest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-dev/berth/provisioner"
	"github.com/berth-dev/berth/provisioner/provisionertest"
)

func TestGuest(t *testing.T) {
	boom := errors.New("boom")
	g := &provisionertest.Guest{
		Box: provisioner.Info{Box: "web"},
		RunFunc: func(_ context.Context, r provisionertest.Run) error {
			fmt.Fprintf(r.Stdout, "got %s", r.Input)
			fmt.Fprint(r.Stderr, "thrown away")
			return boom
		},
	}
	if g.Info().Box != "web" {
		t.Errorf("Info = %+v", g.Info())
	}
	var out bytes.Buffer
	err := g.Run(t.Context(), provisioner.Cmd{Argv: []string{"cat"}, Stdin: strings.NewReader("in"), Stdout: &out})
	if !errors.Is(err, boom) || out.String() != "got in" {
		t.Errorf("Run: %v, %q", err, out.String())
	}
	if r := g.Runs(); len(r) != 1 || r[0].Argv[0] != "cat" || string(r[0].Input) != "in" {
		t.Errorf("Runs = %+v", r)
	}

	src := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(src, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.Upload(t.Context(), src, "/f", provisioner.FileOptions{Mode: 0o640}); err != nil {
		t.Error(err)
	}
	if err := g.Upload(t.Context(), src+"missing", "/f", provisioner.FileOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Upload of nothing: %v", err)
	}
	if u := g.Uploads(); len(u) != 1 || u[0].Dst != "/f" || string(u[0].Content) != "content" || u[0].Options.Mode != 0o640 {
		t.Errorf("Uploads = %+v", u)
	}
	g.Report("hello")
	if r := g.Reports(); len(r) != 1 || r[0] != "hello" {
		t.Errorf("Reports = %q", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Run(ctx, provisioner.Cmd{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run with an ended context: %v", err)
	}
}
