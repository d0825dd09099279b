package engine

import (
	"testing"

	"github.com/berth-dev/berth/provider"
)

// Where the Envfile cannot be read nobody knows what it does not declare.
func TestStatusWithoutEnvfile(t *testing.T) {
	e, _, _ := newEngine(t, "box \"a\" {}\n")
	e.Envfile.Boxes, e.Unread = nil, true
	all, err := e.Status(t.Context(), nil)
	if err != nil || len(all) != 1 || !all[0].Declared || all[0].State != provider.Running {
		t.Errorf("%+v, %v", all, err)
	}
}
