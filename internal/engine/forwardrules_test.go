package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/berth-dev/berth/config"
)

// A link above the project is the user's, one within may be a box's.
func TestSocketBehindLinks(t *testing.T) {
	e, _, _ := newEngine(t, "box \"a\" {}\n")
	real := realPath(e.Envfile.Root)
	link := filepath.Join(t.TempDir(), "link")
	for _, l := range [][2]string{{real, link}, {"/tmp", filepath.Join(real, "out")}} {
		if err := os.Symlink(l[0], l[1]); err != nil {
			t.Fatal(err)
		}
	}
	e.Envfile.Root = link
	for path, want := range map[string]string{
		link + "/x.sock":     real + "/x.sock",
		link + "/out/x.sock": real + "/out/x.sock",
		"/srv/x.sock":        "/srv/x.sock",
	} {
		b := &config.Box{Forwards: []config.Forward{{Name: "x", Host: config.Endpoint{Path: path}}}}
		if got := e.forwardRules(b)[0].Want; got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
