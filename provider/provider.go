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

// Spec is what the Envfile asks of one box.
type Spec struct {
	ID       string            // unique on this host and stable for the life of the box: [a-z0-9-], at most 60 bytes
	Project  string            // name of the project, for people
	Name     string            // name of the box in its project
	Hostname string            // host name inside the box
	Image    string            // what the box starts from, such as "debian:bookworm"; the provider defines the form
	User     string            // login user; it must exist in the box and may use sudo without a password
	Env      map[string]string // environment of every login in the box

	// AuthorizedKey is the one public key that may log in as User, as a line of
	// an authorized_keys file (sshd(8)).
	AuthorizedKey string
	// HostKey is the private host key that the box's sshd must present, in
	// OpenSSH's PEM form. Berth pins its public half before the first
	// connection, so the box never makes one of its own.
	HostKey []byte

	Resources Resources
}

// Resources are the limits of a box. A zero value or nil means no limit.
type Resources struct {
	CPUs      float64 // CPU time in CPUs: 1.5 is 150 ms in every 100 ms
	CPUWeight int64   // share under contention, 1 to 10000, as cpu.weight of cgroup v2; the kernel's default is 100
	CPUSet    string  // CPUs the box may run on, as cpuset.cpus: "0-2,4"
	Memory    int64   // bytes
	Swap      *int64  // bytes of swap beyond Memory; 0 forbids swap, nil sets no limit
	PIDs      int64   // processes and threads
	IO        IO
}

// IO limits a box's use of the disk that holds it. A zero value means no limit.
type IO struct {
	Weight    int64 // share under contention, 1 to 10000
	Read      int64 // bytes per second
	Write     int64 // bytes per second
	ReadIOPS  int64 // operations per second
	WriteIOPS int64 // operations per second
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
	Started time.Time // zero unless running
	Limits  Resources // as the kernel has them; zero unless running
	Usage   Usage     // zero unless running
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
}

// Step reports that the work named by text has begun. A nil Report is silent.
func (r Report) Step(text string) {
	if r != nil {
		r(Event{Text: text})
	}
}

// DataDir returns the folder that this provider's plugin may fill: private to
// it and the user, kept between commands. Berth makes it, with mode 0700, and
// names it in $BERTH_PLUGIN_DATA.
func DataDir() string { return os.Getenv("BERTH_PLUGIN_DATA") }
