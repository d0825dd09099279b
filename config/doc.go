// Package config turns the bytes of an Envfile into a typed model and
// diagnostics.
//
// It is pure: it reads the files it is given (and what the Envfile names with
// file(), beneath the project's folder), it never runs a program, and it never
// panics on what a user wrote. Every problem is reported at once, each with
// the source range of the expression it is about.
//
// What the arguments of a provider or provisioner block mean is left to the
// plugins: their bodies stay in the model as [hcl.Body] until the engine
// decodes them against a plugin's schema.
//
// There is one file per block. Each holds, in this order, the model's type,
// the function that decodes it, and the schema.
package config
