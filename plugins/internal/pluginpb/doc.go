// Package pluginpb is the wire form of the plugin contract, generated from
// plugin.proto, whose header is the contract's authoritative text. Conversions
// to and from the Go types of provider and provisioner are in package wire.
package pluginpb

//go:generate ./generate.sh
