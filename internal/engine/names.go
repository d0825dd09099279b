package engine

import (
	"fmt"
	"strings"

	"github.com/berth-dev/berth/config"
)

func boxNames(e *config.Envfile) []string { return namesOf(e.Boxes) }

func namesOf(boxes []*config.Box) []string {
	var names []string
	for _, b := range boxes {
		names = append(names, b.Name)
	}
	return names
}

// quoted writes names as `"a", "b" and "c"`, and of many the first ones.
func quoted(names []string) string {
	const most = 20
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = fmt.Sprintf("%q", n)
	}
	if n := len(q); n > most {
		q = append(q[:most-1], fmt.Sprintf("%d more", n-most+1))
	}
	if len(q) < 2 {
		return strings.Join(q, "")
	}
	return strings.Join(q[:len(q)-1], ", ") + " and " + q[len(q)-1]
}
