package app

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/berth-dev/berth/internal/ui"

	"github.com/berth-dev/berth/internal/testenv"
)

// The manual page has every command that help shows, and groff finds nothing wrong
// with it.
func TestManPage(t *testing.T) {
	a := newApp(&deps{ui: &ui.UI{}})
	page := manPage(a)
	for _, c := range a.Commands {
		if shown := strings.Contains(page, "\n.SS berth "+roff(c.Name)+" "); shown == c.Hidden {
			t.Errorf("berth %s: on the page: %v", c.Name, shown)
		}
	}
	for _, want := range []string{".SS berth plugin list ", `.B \-\-boot\-timeout TIME`, ".SH EXIT STATUS", `.B \-\-command, \-c COMMAND`, `.B \-\-undo`, "/usr/share/doc/berth/docs", "(default: 30d)"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if got := roff(".so x\n'b\na\\b -c"); got != "\\&.so x\n\\&'b\na\\eb \\-c" {
		t.Errorf("roff: %q", got)
	}
	t.Run("groff", func(t *testing.T) {
		testenv.NeedTool(t, "groff")
		cmd := exec.Command("groff", "-man", "-ww", "-Tutf8", "-z")
		cmd.Stdin = strings.NewReader(page)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("groff: %v\n%s", err, out)
		}
	})
}
