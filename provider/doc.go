// Package provider is the contract between Berth and whatever makes boxes.
//
// A provider is a Go value whose fields with `hcl` tags are the arguments of
// the Envfile's provider block and whose methods are [Provider]. The plugins
// package turns such a value into a plugin process; package providertest
// checks that it keeps the contract.
//
// This package imports the standard library only, so that a plugin author
// depends on nothing else of Berth. How boxes are ordered, recorded, locked and
// provisioned is the engine's business and none of a provider's.
package provider
