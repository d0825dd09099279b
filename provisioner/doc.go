// Package provisioner is the contract between Berth and whatever sets a box up.
//
// A provisioner is a Go value whose fields with `hcl` tags are the arguments of
// its block in the Envfile. Berth makes a fresh value for every block, fills it
// and calls Provision with the box as a [Guest]. The plugins package turns such
// a value into a plugin process; package provisionertest has a guest for tests.
//
// This package imports the standard library only, so that a plugin author
// depends on nothing else of Berth. When a step runs, and whether again, is the
// engine's business and none of a provisioner's.
package provisioner
