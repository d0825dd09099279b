package engine

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provisioner"
)

// reader is a provisioner that reads a file, and meanwhile something happens.
type reader struct {
	ProvisionerPlugin // what is not faked panics
	during            func()
}

func (r reader) Provision(context.Context, []byte, provisioner.Guest) error { r.during(); return nil }

// A step is recorded with the files that it has read, and not kept with others.
func TestFilesThatChangeWhileStepsRun(t *testing.T) {
	for name, c := range map[string]struct {
		before, during      bool
		known, keeps, isNew bool // whether the record says which files they were, and so on
	}{
		"nothing":           {known: true, keeps: true},
		"before the step":   {before: true, known: true, isNew: true},
		"while it runs":     {during: true},
		"before and during": {before: true, during: true},
	} {
		t.Run(name, func(t *testing.T) {
			e, _, _ := newEngine(t, "box \"a\" {}\n")
			tg, err := e.prepare(t.Context(), e.Envfile.Boxes, false)
			if err != nil {
				t.Fatal(err)
			}
			text := "1"
			edit := func() {
				text += "1"
				if err := os.WriteFile(filepath.Join(e.Envfile.Root, "f"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			edit()
			s := around(t).steps[0]
			s.inputs, s.plugin = []string{"f"}, reader{during: func() {
				if c.during {
					edit()
				}
			}}
			if _, err := e.look(s); err != nil {
				t.Fatal(err)
			}
			first := s.hash
			tg[0].keeping = &keeping{}
			if c.before {
				edit()
			}
			if err := e.runStep(t.Context(), tg[0], s, nil); err != nil {
				t.Fatal(err)
			}
			r := tg[0].record.Step(s.block.ID())
			if r.Status != state.StepDone || (r.Hash != "") != c.known || (tg[0].keeping != nil) != c.keeps || c.known && (r.Hash != first) != c.isNew {
				t.Errorf("record %+v, first %s, keeps %v", r, first, tg[0].keeping != nil)
			}
		})
	}
}
