// Package lxc is the provider for LXC system containers. It drives the lxc-*
// tools and writes ordinary LXC configuration, so that lxc-ls, lxc-info and
// lxc-attach work on its boxes (with -P and the path that `berth status --json`
// shows).
//
// Disk: an image is a layer, an immutable directory tree with canonical ids.
// A box is an overlay of its own upper folder over its layers, for root's boxes
// idmapped to the box's own range of ids (a user's boxes share the user's, see
// docs/rootless.md), mounted in a mount namespace that
// only the box's LXC monitor and the box itself live in (see launch.go). The
// host's mount table never shows it, and when the box dies nothing is left.
//
// Host side effects: the record boxes/ID/box.json is written before the first
// one, and everything that a box can have on the host is named after its id or
// its record: see residue.go. What the boxes of one data folder share, the
// bridge and its firewall table, is recorded in network.json in the same way
// and goes with the last box.
//
// Packages beneath this one know nothing of boxes as a whole: cgroup sets limits,
// firewall makes nftables tables, layer writes what a disk has beyond its layers,
// archive reads and writes packed boxes, deep removes and walks trees of any depth,
// hostcheck finds what a host lacks, mountinfo and subid read files of the system,
// and account finds its users.
//
// What a box is called, when it starts and how it is provisioned is the
// engine's business.
package lxc
