package engine

import (
	"fmt"
	"strings"

	"github.com/berth-dev/berth/config"
)

func boxNames(e *config.Envfile) []string {
	var names []string
	for _, b := range e.Boxes {
		names = append(names, b.Name)
	}
	return names
}

// quoted writes names as `"a", "b" and "c"`.
func quoted(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = fmt.Sprintf("%q", n)
	}
	if len(q) < 2 {
		return strings.Join(q, "")
	}
	return strings.Join(q[:len(q)-1], ", ") + " and " + q[len(q)-1]
}
