package app

import (
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/berth/internal/ui"
)

func TestNearest(t *testing.T) {
	commands := names(newApp(&deps{ui: &ui.UI{}}).Commands)
	for word, want := range map[string]string{
		"upp": "up", "hlat": "", "hal": "halt", "halts": "halt", "statsu": "status", "destory": "destroy",
		"prov": "provision", "snap": "snapshot", "re": "", "res": "", // of several
		"stop": "", "frob": "", "p": "", "manager": "",
	} {
		if got := nearest(word, commands); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}

// What is suggested for other tools' words exists.
func TestWordsElsewhere(t *testing.T) {
	a := newApp(&deps{ui: &ui.UI{}})
	for word, meant := range wordsElsewhere {
		if a.Command(word) != nil {
			t.Errorf("%s is a command", word)
		}
		path := split(strings.Fields(meant), a.Flags, nil).names
		c := a.Command(path[0])
		if c == nil || len(path) > 1 && subcommand(c, path[1]) == nil {
			t.Errorf("%s: there is no command %q", word, meant)
		}
	}
}

func TestAge(t *testing.T) {
	for in, want := range map[string]time.Duration{"30d": 720 * time.Hour, "0s": 0, "0d": 0, "12h": 12 * time.Hour, "1h30m": 90 * time.Minute} {
		var a age
		if err := a.Set(in); err != nil || time.Duration(a) != want {
			t.Errorf("%s: %v, %v", in, time.Duration(a), err)
		}
	}
	for _, in := range []string{"", "d", "30", "-1d", "-1h", "1.5d", "99999d", "x"} {
		if a := age(0); a.Set(in) == nil {
			t.Errorf("%q was taken", in)
		}
	}
	for want, a := range map[string]age{"30d": age(30 * day), "12h0m0s": age(12 * time.Hour), "0d": 0} {
		if got := a.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
