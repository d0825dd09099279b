package provider

import (
	"context"
	"os"
	"time"
)

// Provider makes and controls boxes of one kind.
//
// Order: Check comes first in a command; Create before Start; Inspect, Logs and
// Destroy at any time. Calls for one box do not overlap; calls for different
// boxes may, in one process or in several. A provider keeps what it must know
// of a box on disk (see [DataDir]), since each command runs a new process.
//
// Every method honours ctx: when it ends, the call returns soon with ctx.Err()
// and what it has begun is either undone or finished by the next call for the
// same box. A process can die at any line; the same rule holds then.
//
// The arguments of the provider block are set before Check, Create and Start.
// The other methods see the constructor's defaults and must not need them.
type Provider interface {
	// Check reports whether this host can run such boxes. The error says what
	// is missing and how to get it. It changes nothing.
	Check(ctx context.Context) error

	// Create makes the box spec.ID, stopped. For a box that exists already it
	// does nothing, whatever the rest of spec says; one that an earlier call
	// left half made it finishes or makes anew. When it fails, nothing of the
	// box is left but what Destroy removes.
	Create(ctx context.Context, spec Spec, report Report) error

	// Start boots the box and returns when its first process runs and its
	// address is known; it does not wait for services in the box. What spec
	// says of limits, hostname and environment holds from this start on.
	// Starting a running box does nothing. ErrNotFound when it does not exist.
	//
	// A limit that the host cannot set, or that reads back from the kernel
	// with another value, is an error that names the key, the wanted and the
	// found value; the box is stopped again.
	Start(ctx context.Context, spec Spec, report Report) error

	// Stop asks the box to shut down and after grace ends it by force; a grace
	// of 0 forces at once. It returns when the box is stopped. Stopping a
	// stopped box does nothing. ErrNotFound when it does not exist.
	Stop(ctx context.Context, id string, grace time.Duration, report Report) error

	// Destroy removes the box and all that it has on the host, running or not,
	// whole or half made. ErrNotFound when nothing of it exists; callers take
	// that for done.
	Destroy(ctx context.Context, id string, report Report) error

	// Inspect tells how the box is now. ErrNotFound only when the box
	// positively does not exist; an answer that could not be got is another
	// error, and the caller treats the box's state as unknown.
	Inspect(ctx context.Context, id string) (Box, error)

	// Logs returns the ends of the logs that explain a boot that went wrong,
	// such as the box's console, most telling first. ErrNotFound when the box
	// does not exist.
	Logs(ctx context.Context, id string) ([]Log, error)
}

// Validator may be implemented by a provider whose arguments need a check
// beyond their types. It touches nothing outside the process. An [*ArgError]
// is underlined in the Envfile.
type Validator interface {
	Validate() error
}

// The interfaces below are capabilities: a provider implements those that it
// can offer, and Berth gets ErrUnsupported for the others.

// Suspender freezes boxes: they stay in memory and use no CPU.
type Suspender interface {
	// Suspend freezes a running box. Suspending a frozen box does nothing.
	// ErrNotRunning for a stopped one, ErrNotFound when it does not exist.
	Suspend(ctx context.Context, id string) error
	// Resume lets a frozen box run again. Resuming a running box does nothing.
	// ErrNotRunning for a stopped one, ErrNotFound when it does not exist.
	Resume(ctx context.Context, id string) error
}

// Resizer changes the limits of a running box.
type Resizer interface {
	// Resize makes r the limits of a running box, those that r leaves out
	// unlimited, and reads them back as Start does. When it fails the limits
	// are as they were. A limit of the disk can become larger; all else that
	// a running box cannot have of it is an error, and the next Start's to
	// apply. ErrNotRunning for a stopped box, ErrNotFound when it does not
	// exist.
	Resize(ctx context.Context, id string, r Resources) error
}

// Namer tells a running box the names of others.
type Namer interface {
	// SetHosts makes hosts all the names that the box is told of, beside those
	// of its own. What the user wrote into its hosts file stays. Start does the
	// same with Spec.Hosts. ErrNotRunning for a stopped box, ErrNotFound when it
	// does not exist. Unlike others, this call may come while another one for the
	// same box is under way.
	SetHosts(ctx context.Context, id string, hosts []Host) error
}

// Checkpointer keeps the disks of boxes, and gives them to boxes again. Keys are
// the caller's: [a-z0-9-], at most 64 bytes. A checkpoint is complete or not
// there, at whatever moment a process dies, and outlives the box that it is of.
//
// What makes a box itself is never kept: keys, the machine's id and name, name
// servers, what Berth wrote into the box's files, journals and leases, nor what
// is in /tmp and /run.
type Checkpointer interface {
	// Checkpoint keeps the disk of a box under key, replacing a checkpoint that
	// has it. A running box stands still for a moment and goes on; what its
	// programs have not written yet is not kept, as after a power failure.
	// ErrNotFound when the box does not exist.
	Checkpoint(ctx context.Context, id, key string, report Report) error
	// Restore gives the box spec.ID, which must be stopped, the disk of a
	// checkpoint instead of its own. It stays itself: address and identity are
	// those of spec and of before. One that was begun is finished by the next
	// Restore or Start. ErrNoCheckpoint when there is none of that key that can
	// be used, ErrNotFound when the box does not exist.
	Restore(ctx context.Context, spec Spec, key string, report Report) error
	// Checkpoints returns all that can be used, in the order in which they were
	// made.
	Checkpoints(ctx context.Context) ([]Checkpoint, error)
	// RemoveCheckpoint removes a checkpoint. Boxes that were made from it stay
	// as they are. ErrNoCheckpoint when there is none of that key.
	RemoveCheckpoint(ctx context.Context, key string) error
}

// Checkpoint is a disk that is kept.
type Checkpoint struct {
	Key     string
	Image   string    // what its box was made from
	Size    int64     // bytes that go with it
	Shared  int64     // bytes that others need as well: boxes, other checkpoints, the image left out
	Created time.Time // when it was made
}

// Spec is what the Envfile asks of one box.
type Spec struct {
	ID      string // unique on this host and stable for the life of the box: [a-z0-9-], at most 60 bytes
	Project string // name of the project, for people
	// ProjectID tells projects apart, also those of one name: [a-z0-9-]. Boxes
	// with the same one share private networks.
	ProjectID string
	Name      string            // name of the box in its project
	Hostname  string            // host name inside the box
	Image     string            // what the box starts from, such as "debian:bookworm"; the provider defines the form
	User      string            // login user; it must exist in the box and may use sudo without a password
	Env       map[string]string // environment of every login in the box

	// AuthorizedKey is the one public key that may log in as User, as a line of
	// an authorized_keys file (sshd(8)).
	AuthorizedKey string
	// HostKey is the private host key that the box's sshd must present, in
	// OpenSSH's PEM form. Berth pins its public half before the first
	// connection, so the box never makes one of its own.
	HostKey []byte

	Resources Resources
	Networks  []Network // private networks that the box joins, beside the one that it always has
	Folders   []Folder  // folders of the host that the box sees, in the order in which they are mounted
	Hosts     []Host    // names that the box is told of

	// Checkpoint is the key of a checkpoint that Create starts from instead of the
	// bare image. Create fails with ErrNoCheckpoint when there is none of that key
	// that can be used, or when it is of an older build of the image. Start has
	// no use for it.
	Checkpoint string

	// CACertificates are certificates, in PEM, that the box trusts beyond those
	// of its image, since the host does. Empty: none.
	CACertificates []byte
	// PackageCache lets the box share the packages that it downloads with the
	// other boxes of the project, as far as the provider can do that.
	PackageCache bool
}

// Network is a private network of a project: boxes of the project that have one
// of the same name reach each other, and boxes of other projects do not.
type Network struct {
	Name string
	// IP is the box's address with the prefix length: "10.60.0.10/24". The first
	// address of the network is the host's. Empty in a Spec: the provider chooses
	// one and keeps it for the life of the box; a box of the same name made anew
	// gets the same again.
	IP string
	// Subnet is what all boxes agree the network is: "10.60.0.0/24". Empty: the
	// provider chooses one that the host has no route to. Only in a Spec.
	Subnet string
	// Reserved are addresses, "10.60.0.10", that other boxes are to have,
	// whether or not they exist yet: none of them is chosen. Only in a Spec.
	Reserved []string
}

// Folder is a folder of the host that a box sees. Files that the login user
// makes in it belong to the folder's owner on the host, and the reverse; a
// file that belongs to root on the host can come into being by no means. So in
// a folder of root's the login user has no more rights than anyone else.
type Folder struct {
	Source   string   // on the host; absolute
	Target   string   // in the box; absolute and clean; made if missing
	ReadOnly bool     // nobody in the box may change it
	Protect  []string // paths below Source, relative to it, that nobody in the box may change; those that do not exist are left out
}

// Host is an address and the names for it.
type Host struct {
	IP    string
	Names []string
}

// State is how a box is.
type State string

// The states. A state that one side of the wire does not know is Unknown.
const (
	Unknown State = "unknown" // it could not be found out
	Stopped State = "stopped"
	Running State = "running"
	Frozen  State = "frozen" // suspended: in memory, using no CPU
)

// Box is a box as it is at one moment.
type Box struct {
	ID    string
	State State
	// SSHAddr is where the box's sshd listens once it is up, as "host:port".
	// Empty while that is not known. It stays the same for the life of the box
	// unless the host forces a change at Start.
	SSHAddr string
	// Networks are the private networks of the box with its addresses.
	Networks []Network
	Started  time.Time // zero unless running
	Limits   Resources // as the kernel has them; zero unless running
	Usage    Usage     // zero unless running
}

// Usage is what a running box uses.
type Usage struct {
	CPU    time.Duration // CPU time since the start
	Memory int64         // bytes
	Swap   int64         // bytes
	PIDs   int64         // processes and threads
}

// Log is the end of one log of a box.
type Log struct {
	Name string // "console", "lxc"
	Path string // where the whole of it is on the host
	Tail string // its last lines
}

// Report takes news of a long call. Calls are cheap; it never blocks for long.
type Report func(Event)

// Event is one piece of news.
type Event struct {
	Text  string // what is being done, without a final dot: "build image debian:bookworm"
	Done  int64  // progress in Total's unit
	Total int64  // 0 when the end is not known
	// Warning says that Text is something the user should know and do something
	// about, though the call goes on.
	Warning bool
}

// Step reports that the work named by text has begun. A nil Report is silent.
func (r Report) Step(text string) {
	if r != nil {
		r(Event{Text: text})
	}
}

// Warn tells what the user should know. A nil Report is silent.
func (r Report) Warn(text string) {
	if r != nil {
		r(Event{Text: text, Warning: true})
	}
}

// DataDir returns the folder that this provider's plugin may fill: private to
// it and the user, kept between commands. Berth makes it, with mode 0700, and
// names it in $BERTH_PLUGIN_DATA.
func DataDir() string { return os.Getenv("BERTH_PLUGIN_DATA") }
