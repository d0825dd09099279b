package lxc

import (
	"errors"
	"fmt"

	"github.com/berth-dev/berth/provider"
)

// conflict is what keeps a network from being as the Envfile says.
type conflict string

func (c conflict) Error() string { return string(c) }

func conflictf(format string, args ...any) error { return conflict(fmt.Sprintf(format, args...)) }

// ofNetwork says of which network an error is, and blames a conflict on the
// Envfile's line, where it can be ended.
func ofNetwork(name, id string, err error) error {
	err = fmt.Errorf("network %q of box %s: %w", name, id, err)
	var c conflict
	if errors.As(err, &c) {
		return &provider.ArgError{Arg: "box.network." + name, Err: err}
	}
	return err
}
