package app

import (
	"strings"
	"testing"

	"github.com/berth-dev/berth/internal/ui"
)

func TestHoistFlags(t *testing.T) {
	a := newApp(&deps{ui: &ui.UI{}})
	for in, want := range map[string]string{
		"berth":                                 "berth",
		"berth up web --no-provision":           "berth up --no-provision web",
		"berth up web --boot-timeout 5s db":     "berth up --boot-timeout 5s web db",
		"berth up --boot-timeout=5s web":        "berth up --boot-timeout=5s web",
		"berth ssh web -c ls":                   "berth ssh -c ls web",
		"berth ssh -c ls web":                   "berth ssh -c ls web",
		"berth -C /x ssh web -c ls":             "berth -C /x ssh -c ls web",
		"berth up web -C /x --debug":            "berth -C /x --debug up web",
		"berth ssh web -- -L 80:x:80 -v":        "berth ssh web -- -L 80:x:80 -v",
		"berth ssh -- -v":                       "berth ssh -- -- -v",
		"berth up web --typo":                   "berth up --typo web",
		"berth plugin list --json":              "berth plugin list --json",
		"berth plugin --json list":              "berth plugin list --json",
		"berth up web --help":                   "berth up --help web",
		"berth nothing --x":                     "berth nothing --x",
		"berth snapshot lst --json":             "berth snapshot lst",
		"berth setup undo --undo":               "berth setup --undo undo",
		"berth help up":                         "berth up --help",
		"berth -C /x help snapshot save":        "berth -C /x snapshot save --help",
		"berth help":                            "berth help",
		"berth provision web --with a --with b": "berth provision --with a --with b web",
	} {
		if got := strings.Join(hoistFlags(a, helpLast(a, strings.Fields(in))), " "); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}
