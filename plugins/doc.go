// Package plugins is what the author of a plugin imports: [ServeProvider] and
// [ServeProvisioner] turn a value that keeps a contract into a plugin process.
//
//	func main() {
//		plugins.ServeProvisioner(func() provisioner.Provisioner { return &motd{Path: "/etc/motd"} })
//	}
//
// The arguments of the plugin's block in the Envfile are the exported fields of
// the value's struct that have an `hcl` tag:
//
//	type motd struct {
//		Text   string            `hcl:"text"`           // required
//		Path   string            `hcl:"path,optional"`  // the constructor's value is the default
//		Lines  []string          `hcl:"lines,optional"` // one string stands for a list of one
//		Colors map[string]string `hcl:"colors,optional"`
//		Footer *footer           `hcl:"footer,block"`   // none or one; a struct: exactly one; a slice: any number
//	}
//
// Attributes are strings, bools, numbers, pointers to these, and slices and
// maps of these. Blocks are structs with such tags. Where the user writes
// nothing, the field keeps what the constructor set.
//
// What a plugin prints, on standard output or standard error, goes to Berth's
// debug log, and its last lines are shown when it crashes. A plugin sees few
// environment variables; docs/writing-plugins.md lists them.
//
// The contracts themselves are in packages provider and provisioner. Finding
// and starting plugins is the business of plugins/host.
package plugins
