package engine

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/berth-dev/berth/config"
)

// Select returns the boxes that names mean, in the Envfile's order, those they
// depend on first; without names all for which all says yes. A name is that of a
// box, that of a block with count or for_each for all of its boxes, or a pattern
// as in path.Match.
func Select(e *config.Envfile, names []string, all func(*config.Box) bool) ([]*config.Box, error) {
	wanted, err := match(e, names, nil)
	if err != nil {
		return nil, err
	}
	var boxes []*config.Box
	for _, b := range inOrder(e.Boxes) {
		if wanted[b.Name] || len(names) == 0 && all(b) {
			boxes = append(boxes, b)
		}
	}
	return boxes, nil
}

// match returns the boxes that names mean, of the Envfile and of others. A name
// that means none is an error.
func match(e *config.Envfile, names, others []string) (map[string]bool, error) {
	known := boxNames(e)
	for _, o := range others {
		if e.Box(o) == nil {
			known = append(known, o)
		}
	}
	wanted := map[string]bool{}
	for _, name := range names {
		found, err := meant(e, name, known)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, &UnknownBoxError{Name: name, Known: known}
		}
		for _, f := range found {
			wanted[f] = true
		}
	}
	return wanted, nil
}

// meant returns which of the known boxes one name means.
func meant(e *config.Envfile, name string, known []string) ([]string, error) {
	if slices.Contains(known, name) {
		return []string{name}, nil
	}
	var found []string
	if !isPattern(name) {
		for _, b := range e.Boxes {
			if b.Block == name {
				found = append(found, b.Name)
			}
		}
		return found, nil
	}
	for _, k := range known {
		ok, err := path.Match(name, k)
		if err != nil {
			return nil, fmt.Errorf(`%q is no pattern of names: "*" stands for any text, "?" for one character, "[a-c]" for one of several`, name)
		}
		if ok {
			found = append(found, k)
		}
	}
	return found, nil
}

func isPattern(name string) bool { return strings.ContainsAny(name, `*?[\`) }

// inOrder returns boxes after those they depend on, else as declared. The
// Envfile has no cycles.
func inOrder(boxes []*config.Box) []*config.Box {
	byName := map[string]*config.Box{}
	for _, b := range boxes {
		byName[b.Name] = b
	}
	var ordered []*config.Box
	done := map[string]bool{}
	var visit func(*config.Box)
	visit = func(b *config.Box) {
		if b == nil || done[b.Name] {
			return
		}
		done[b.Name] = true
		for _, d := range b.DependsOn {
			visit(byName[d])
		}
		ordered = append(ordered, b)
	}
	for _, b := range boxes {
		visit(b)
	}
	return ordered
}

// One returns the box that a command for a single box means: the named one,
// else the only one, else the primary one.
func One(e *config.Envfile, name string) (*config.Box, error) {
	if name != "" {
		boxes, err := Select(e, []string{name}, nil)
		if err != nil {
			return nil, err
		}
		if len(boxes) > 1 {
			return nil, fmt.Errorf("%q means several boxes, and this is for one: name one of %s", name, quoted(namesOf(boxes)))
		}
		return boxes[0], nil
	}
	if len(e.Boxes) == 1 {
		return e.Boxes[0], nil
	}
	for _, b := range e.Boxes {
		if b.Primary {
			return b, nil
		}
	}
	if len(e.Boxes) == 0 {
		return nil, fmt.Errorf("%s declares no box", e.Path)
	}
	return nil, fmt.Errorf("several boxes and none is primary: name one of %s", quoted(boxNames(e)))
}

// UnknownBoxError is a name or pattern that means no box.
type UnknownBoxError struct {
	Name  string
	Known []string
}

func (e *UnknownBoxError) Error() string {
	what := fmt.Sprintf("there is no box %q", e.Name)
	if isPattern(e.Name) {
		what = fmt.Sprintf("no box is named like %q", e.Name)
	}
	if len(e.Known) == 0 {
		return what + ": the Envfile declares none"
	}
	return what + ": there are " + quoted(e.Known)
}
