package host

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/sys/unix"
)

// drainTime is how long output is still read after a plugin has ended. It only
// matters when something that the plugin started has kept its streams.
const drainTime = 100 * time.Millisecond

// process is one plugin process. It is go-plugin's runner.Runner; go-plugin's
// own would let the plugin live on when the host is killed.
type process struct {
	cmd    *exec.Cmd
	output *output // what it prints on standard error

	lifeline       *os.File // our end of its standard input
	stdout, stderr *os.File // our ends
	first          firstOutput

	mu      sync.Mutex
	refused bool // it may not start any more
	started bool
	reaped  bool
	state   *os.ProcessState
	done    chan struct{} // closed when a started one has ended and its output is read
}

var _ runner.Runner = (*process)(nil)

func newProcess(cmd *exec.Cmd, out *output) *process {
	return &process{cmd: cmd, output: out, done: make(chan struct{})}
}

// Start starts the process. Errors come from the kernel, such as ENOEXEC.
func (p *process) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused {
		return ErrClosed
	}
	child, err := p.pipes()
	if err == nil {
		p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = child[0], child[1], child[2]
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		err = p.cmd.Start()
	}
	for _, f := range child {
		f.Close() // a nil *os.File only returns an error
	}
	if err != nil {
		for _, f := range []*os.File{p.lifeline, p.stdout, p.stderr} {
			f.Close()
		}
		return err
	}
	p.started = true
	read := make(chan struct{})
	go func() {
		defer close(read)
		p.output.readAll(p.stderr)
	}()
	go p.watch(read)
	return nil
}

// pipes makes the three streams and returns the child's ends. All are
// close-on-exec: nothing that anybody starts inherits the lifeline.
func (p *process) pipes() (child [3]*os.File, err error) {
	if child[0], p.lifeline, err = os.Pipe(); err != nil {
		return child, err
	}
	if p.stdout, child[1], err = os.Pipe(); err != nil {
		return child, err
	}
	p.stderr, child[2], err = os.Pipe()
	return child, err
}

// watch waits for the end of the process and of its output.
func (p *process) watch(read <-chan struct{}) {
	pid := p.cmd.Process.Pid
	// Wait without reaping: while the dead leader has its id, no other process
	// group can have it, and the kill below hits nobody else.
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	_ = unix.Kill(-pid, unix.SIGKILL) // what it has left behind; ESRCH when that is nothing
	_ = p.cmd.Wait()                  // the status is in ProcessState
	p.reaped, p.state = true, p.cmd.ProcessState
	p.mu.Unlock()

	at := time.Now().Add(drainTime)
	_ = p.stderr.SetReadDeadline(at)
	_ = p.stdout.SetReadDeadline(at)
	<-read
	p.stderr.Close()
	p.lifeline.Close()
	close(p.done)
}

// end asks the process to end and kills it after grace. It returns when the
// process is gone; one that has not started will not.
func (p *process) end(grace time.Duration) {
	p.mu.Lock()
	p.refused = true
	started := p.started
	if started {
		p.lifeline.Close()
	}
	p.mu.Unlock()
	if !started {
		return
	}
	select {
	case <-p.done:
	case <-time.After(grace):
		_ = p.Kill(context.Background()) // an error means that it is gone
		<-p.done
	}
}

// Kill kills the process and its group; a stopped one as well.
func (p *process) Kill(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.started || p.reaped {
		return nil
	}
	return unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL)
}

// Wait waits for the end of the process.
func (p *process) Wait(context.Context) error {
	<-p.done
	return nil
}

func (p *process) hasStarted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started
}

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// status says how the process ended: "exit status 3", "signal: killed".
func (p *process) status() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == nil {
		return "not started"
	}
	return p.state.String()
}

// Stdout is read by go-plugin for the handshake line.
func (p *process) Stdout() io.ReadCloser { return &stdoutReader{p} }

type stdoutReader struct{ p *process }

func (r *stdoutReader) Read(b []byte) (int, error) {
	n, err := r.p.stdout.Read(b)
	r.p.first.add(b[:n])
	if err != nil {
		err = io.EOF // also a deadline: see drainTime
	}
	return n, err
}

func (r *stdoutReader) Close() error { return r.p.stdout.Close() }

// Stderr gives go-plugin nothing to read: the process reads it itself.
func (p *process) Stderr() io.ReadCloser { return &nothing{p.done} }

type nothing struct{ until <-chan struct{} }

func (n *nothing) Read([]byte) (int, error) { <-n.until; return 0, io.EOF }
func (n *nothing) Close() error             { return nil }

// Name, ID, Diagnose and the address translation are what go-plugin asks of a
// runner beside.

func (p *process) Name() string                    { return p.cmd.Path }
func (p *process) Diagnose(context.Context) string { return "" }

func (p *process) ID() string {
	if !p.hasStarted() {
		return ""
	}
	return strconv.Itoa(p.cmd.Process.Pid)
}

func (p *process) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

func (p *process) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}
