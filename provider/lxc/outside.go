package lxc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// A user's boxes are made by two processes. The plugin serves from within a user
// namespace, where it is root: it owns images and disks and may mount them. The
// one that was started first stays outside, where it is the user: what takes the
// user's own identity, such as the setuid helpers of the system, it does for the
// other one. They talk over a socket that nobody else has.

// outsideVar tells the process inside that there is one outside; its value is the
// user's id. outsideFD is its end of the socket.
const (
	outsideVar = "BERTH_LXC_OUTSIDE"
	outsideFD  = 3
)

// request is what the inside asks for; one with Cancel ends another.
type request struct {
	ID     uint64          `json:"id"`
	Cancel bool            `json:"cancel,omitempty"`
	Do     string          `json:"do,omitempty"`
	With   json.RawMessage `json:"with,omitempty"`
}

// answer says how a request went.
type answer struct {
	ID    uint64 `json:"id"`
	Arg   string `json:"arg,omitempty"` // the argument of the Envfile that is to blame
	Error string `json:"error,omitempty"`
}

func answerOf(err error) answer {
	var blamed *provider.ArgError
	switch {
	case err == nil:
		return answer{}
	case errors.As(err, &blamed):
		return answer{Arg: blamed.Arg, Error: blamed.Err.Error()}
	}
	return answer{Error: err.Error()}
}

func (a answer) err() error {
	switch {
	case a.Error == "":
		return nil
	case a.Arg != "":
		return &provider.ArgError{Arg: a.Arg, Err: errors.New(a.Error)}
	}
	return errors.New(a.Error)
}

// Enter makes a plugin of a user's the outside of another that serves in its
// place, and then never returns. It returns at once in a process of root's, in
// one that is inside already, and where the host is not prepared: then the
// provider's Check says what is missing.
func Enter() {
	if os.Geteuid() == 0 || os.Getenv(outsideVar) != "" {
		return
	}
	ids, err := ownIDs()
	if err != nil {
		return
	}
	status, err := enter(ids)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	os.Exit(status)
}

// enter runs this program once more inside, and serves it until it ends.
func enter(ids userIDs) (status int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("make a socket: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "inside"), os.NewFile(uintptr(pair[1]), "outside")
	defer theirs.Close()
	cmd, done, err := inUserNamespace(context.Background(), ids, append([]string{self}, os.Args[1:]...)...)
	if err != nil {
		ours.Close()
		return 0, err
	}
	defer done()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = append(os.Environ(), outsideVar+"="+format(ids.uid),
		// The socket that it serves on is the user's to connect to.
		"PLUGIN_UNIX_SOCKET_GROUP="+strconv.Itoa(keptID))
	signal.Notify(make(chan os.Signal, 1), os.Interrupt) // the host's to handle
	conn, err := net.FileConn(ours)
	ours.Close()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return 0, fmt.Errorf("start the plugin in a user namespace: %w", err)
	}
	theirs.Close()
	go (&outside{self: self}).serve(conn)
	_ = cmd.Wait() // its status says all
	return cmd.ProcessState.ExitCode(), nil
}

// serve answers requests until the other end closes.
func (o *outside) serve(conn net.Conn) {
	var mu sync.Mutex
	running := map[uint64]context.CancelFunc{}
	out := json.NewEncoder(conn)
	in := json.NewDecoder(conn)
	for {
		var r request
		if err := in.Decode(&r); err != nil {
			break // the plugin has ended
		}
		mu.Lock()
		if r.Cancel {
			if cancel := running[r.ID]; cancel != nil {
				cancel()
			}
			mu.Unlock()
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		running[r.ID] = cancel
		mu.Unlock()
		go func() {
			a := answerOf(o.do(ctx, r))
			a.ID = r.ID
			mu.Lock()
			defer mu.Unlock()
			cancel()
			delete(running, r.ID)
			_ = out.Encode(a) // the plugin may have ended
		}()
	}
	mu.Lock()
	defer mu.Unlock()
	for _, cancel := range running {
		cancel()
	}
}

// runHelper runs one of this package's helpers, which reads in and writes an
// answer.
func runHelper(cmd *exec.Cmd, in any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return helperAnswer(cmd, b)
}

// decode reads what a request comes with.
func decode[T any](raw []byte) (T, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	return v, err
}

// readInput reads what a helper is given.
func readInput[T any](r io.Reader) (T, error) {
	var v T
	err := json.NewDecoder(r).Decode(&v)
	if err != nil {
		err = fmt.Errorf("read what to do: %w", err)
	}
	return v, err
}
