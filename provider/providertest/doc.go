// Package providertest checks that a provider keeps the contract of package
// provider. The author of a provider calls [Run] from a test; Berth calls it
// for its own providers, directly and through a plugin process.
//
// It tests what the contract promises to the engine. Whether a box is any good,
// with its user, SSH server and limits, is for the provider's own tests.
package providertest
