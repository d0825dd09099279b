package provider

import "errors"

// The sentinels of the contract. They keep their identity across the plugin
// boundary, so errors.Is works on both sides.
var (
	ErrNotFound    = errors.New("no such box")
	ErrNotRunning  = errors.New("the box is not running")
	ErrUnsupported = errors.New("the provider does not support this")
	// ErrImage means that the image does not exist or cannot be had.
	ErrImage = errors.New("the image is not available")
	// ErrNoCheckpoint means that there is no checkpoint of a key, or none that
	// can be used.
	ErrNoCheckpoint = errors.New("no such checkpoint")
)

// ArgError blames one value of the Envfile, so that the user sees it
// underlined. It keeps its argument across the plugin boundary.
type ArgError struct {
	// Arg is the path of the value, with dots: "mirror" or "raw" for an argument
	// of the provider block; "box.image" or "box.resources.memory", with the
	// prefix "box.", for one of the box itself.
	Arg string
	Err error // what is wrong with it, and what would be right
}

func (e *ArgError) Error() string { return e.Arg + ": " + e.Err.Error() }
func (e *ArgError) Unwrap() error { return e.Err }
