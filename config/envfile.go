package config

import "github.com/hashicorp/hcl/v2"

// FileName is the name of the file that declares a project's boxes.
const FileName = "Envfile"

// LocalFileName is the name of the personal file beside the Envfile, which is
// not shared with others. It overrides what the Envfile says.
const LocalFileName = "Envfile.local"

// Envfile is all that a project's files declare, with every layer applied.
type Envfile struct {
	Path    string               // of the Envfile, as it was given to Load
	Root    string               // absolute path of the folder that holds it; relative paths in the Envfile start here
	Project Project              // never empty after a parse without errors
	Boxes   []*Box               // in the order of their declaration
	Files   map[string]*hcl.File // every file read, by name, for [WriteDiagnostics]
}

// Box returns the box with that name, or nil.
func (e *Envfile) Box(name string) *Box {
	for _, b := range e.Boxes {
		if b.Name == name {
			return b
		}
	}
	return nil
}
