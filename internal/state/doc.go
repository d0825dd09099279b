// Package state keeps what Berth must remember between commands: which boxes
// exist, whose they are, how to enter them and how far their steps have come.
//
// The data home holds, all of it private to its owner:
//
//	projects/ID            the folder of a project
//	projects/ID.lock       flock of whoever tells the project's boxes about each other
//	projects/ID.untold     there while they are being told, and after that failed
//	boxes/ID/box.json      the record of a box
//	boxes/ID/lock          flock of whoever changes the box, and who that is
//	boxes/ID/snapshots/    a record for each snapshot of the box
//	boxes/ID/id_ed25519    private key that logs in
//	boxes/ID/host_key      private host key of the box's sshd
//	boxes/ID/known_hosts   its public half, for ssh(1)
//	provider/NAME/         what the provider plugin NAME keeps
//
// The project's folder holds .berth/id and nothing else, so that a checkout that
// was moved finds its boxes. Records are replaced atomically, so readers take no
// lock. What a box has on the host is the provider's to know.
package state
