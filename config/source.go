package config

// Layer tells what a file may hold and which file wins: a later layer
// overrides an earlier one.
type Layer int

// The layers, weakest first. The zero value is the project's Envfile.
const (
	LayerUser    Layer = iota - 1 // the user's defaults for all projects
	LayerProject                  // the Envfile
	LayerLocal                    // Envfile.local, personal to one checkout
)

// Source is one file to parse.
type Source struct {
	Name  string // as diagnostics show it
	Bytes []byte // its content; at most 1 MiB
	Layer Layer
}
