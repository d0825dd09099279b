package engine

import (
	"errors"
	"os"
	"slices"

	"github.com/berth-dev/berth/internal/state"
)

// Sweep removes the folders of boxes that a killed up had only begun: they have no
// record yet, so no other command knows of them. What another command is working
// on is left alone.
func (e *Engine) Sweep(names []string) error {
	if e.Project.ID == "" {
		return nil
	}
	var errs []error
	for _, b := range e.Envfile.Boxes {
		if len(names) == 0 || slices.Contains(names, b.Name) {
			errs = append(errs, e.sweep(b.Name))
		}
	}
	return errors.Join(append(errs, e.Home.ForgetProject(e.Project.ID))...)
}

func (e *Engine) sweep(name string) error {
	id, err := e.Home.BoxID(e.Project.ID, e.Envfile.Project.Name, name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(e.Home.BoxDir(id)); err != nil {
		return nil
	}
	unlock, err := e.Home.Lock(id, e.Command, e.workers())
	var locked *state.LockedError
	if errors.As(err, &locked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := e.Home.Load(id); !errors.Is(err, state.ErrNoRecord) {
		return nil // what is wrong with a record, others say
	}
	return e.Home.Remove(id)
}
