package lxc

import (
	"context"
	"os"

	"github.com/berth-dev/berth/provider"
)

// mode is how boxes come by what takes rights on the host. Root takes it as it
// goes (rootMode). A user has it from the kernel, in a user namespace, and for
// the rest from `berth setup`, once (userMode).
type mode interface {
	// check says what the host lacks for boxes of this mode.
	check(ctx context.Context, s store) []string
	// tools returns LXC's programs as they must be called.
	tools(s store) lxcTools
	// leaseIDs returns the id, as this process sees it, of a new box's root.
	leaseIDs(s store, boxes []record) (uint32, error)

	// network returns the network that every box is in, making it if need be,
	// and release undoes that when no box is left. The store's lock must be held
	// for both, and for join and leave.
	network(ctx context.Context, s store) (network, error)
	release(s store) error
	// join gives the box its place in private networks; they stay until done is
	// called. leave removes those that no box uses any more.
	join(s store, r *record, spec provider.Spec) (done func(), err error)
	leave(s store) error

	// configure writes the settings for ids and network devices.
	configure(r record, n network, set func(key, value string))
	// files are what a box of this mode needs beyond its image, on this host.
	files() []imageFile
	// appArmor is the profile that a box can have: "generated" for one of its own,
	// the name of one, or empty where there is no AppArmor.
	appArmor() string
	// checkFolders makes sure that a box can have these folders.
	checkFolders(ctx context.Context, p *lxcProvider, folders []provider.Folder) error
	// limitsDisks says why the size of boxes' disks cannot be limited; nil: it can.
	limitsDisks() error
	// boot mounts the box's disk, where nobody else sees it, and starts LXC.
	boot(ctx context.Context, p *lxcProvider, r record, n network, spec provider.Spec) error
	// reached finishes the network of a box that runs, and says what is in the
	// way of its packets.
	reached(ctx context.Context, r record, n network, pid int) (warning string, err error)
	// tell makes block what Berth keeps in a running box's hosts file.
	tell(r record, pid int, block string) error

	// kill ends a process of a box, which may be gone.
	kill(pid int)
}

// modeOf returns how this process makes boxes.
func modeOf() mode {
	if os.Getenv(outsideVar) != "" {
		return newUserMode()
	}
	if os.Geteuid() != 0 {
		return strandedMode{}
	}
	return rootMode{}
}
