// Package forward carries connections between the host and a box: ports and Unix
// sockets of the host that lead into the box, such of the box that lead out, and
// ports that are forwarded by themselves when something begins to listen.
//
// # The forwarder
//
// A box with forwards has one forwarder, a process of berth's own executable that
// `berth up` starts and that lives as long as the box. Its listening sockets were
// bound by up, before the box was even made, and are inherited: from the moment
// that a port has been found free it is held, so two projects cannot get the same.
//
// The forwarder keeps an SSH connection to the box, whose host key is pinned. As
// long as that is up, the other end of the box's address is the box and no other
// machine, and only then are connections made. When it is lost (a reboot in the
// box) it is made again; when that does not succeed for some time the box is gone
// for good, and the forwarder ends.
//
// # How it is known and ended
//
// The forwarder holds a lock on a file in the box's folder. A lock cannot outlive
// its holder, so it alone says whether the forwarder lives; its process is then
// identified by a pidfd that was opened while the lock was held. A killed forwarder
// leaves nothing but files in that folder, and the sockets that they name.
//
// # The way of the data
//
// TCP goes to the box's address directly, spliced by the kernel. A program that
// listens on the box's loopback only refuses that, and is reached through the SSH
// connection; so are Unix sockets, and everything that is reversed. UDP goes to
// the box's address, one socket for each client.
//
// Which forwards a box should have, when the forwarder is started and ended, and
// what is said about it is the engine's business.
package forward
