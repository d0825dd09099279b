// Package wire carries the contracts of provider and provisioner between two
// processes: for each a client, which the host holds, and a server, which the
// plugin runs; and for the guest the other way round. It also turns the `hcl`
// tags of a plugin's value into a schema and a block's arguments into that
// value.
//
// How a plugin process is found, started and ended is the business of
// plugins/host; what the messages mean is written in pluginpb/plugin.proto.
package wire
