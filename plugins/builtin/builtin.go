// Package builtin knows the plugins that are part of the berth binary. They run
// as processes of their own like all others: `berth plugin serve KIND NAME`,
// which is [Serve]. No other package imports them.
package builtin

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/berth-dev/berth/plugins"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc"
	"github.com/berth-dev/berth/provisioner"
	"github.com/berth-dev/berth/provisioner/file"
	"github.com/berth-dev/berth/provisioner/shell"
)

func providers() map[string]func() provider.Provider {
	return map[string]func() provider.Provider{"lxc": lxc.New}
}

func provisioners() map[string]func() provisioner.Provisioner {
	return map[string]func() provisioner.Provisioner{"shell": shell.New, "file": file.New}
}

// Has reports whether a plugin is built in.
func Has(kind, name string) bool { return slices.Contains(Names(kind), name) }

// Names returns the names of the built-in plugins of a kind, sorted.
func Names(kind string) []string {
	switch kind {
	case "provider":
		return slices.Sorted(maps.Keys(providers()))
	case "provisioner":
		return slices.Sorted(maps.Keys(provisioners()))
	}
	return nil
}

// Helper runs a helper of a built-in plugin, which the plugin itself has started:
// `berth plugin helper PLUGIN NAME`. It returns the exit status.
func Helper(plugin, name string) int {
	if plugin == "lxc" {
		return lxc.Helper(name)
	}
	fmt.Fprintf(os.Stderr, "the plugin %q has no helpers\n", plugin)
	return 2
}

// Serve serves a built-in plugin. It returns only when there is none of that
// kind and name.
func Serve(kind, name string) error {
	if kind == "provider" && name == "lxc" {
		lxc.Enter() // a user's goes on in a user namespace
	}
	if p, ok := providers()[name]; ok && kind == "provider" {
		plugins.ServeProvider(p)
	}
	if p, ok := provisioners()[name]; ok && kind == "provisioner" {
		plugins.ServeProvisioner(p)
	}
	return fmt.Errorf("no built-in %s plugin %q", kind, name)
}
