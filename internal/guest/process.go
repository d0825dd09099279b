package guest

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/berth-dev/berth/provisioner"
)

// Once a command has exited, whatever it left behind may hold its output open.
// Output is waited for while it flows, within limits, and then let go.
const (
	drainIdle  = time.Second
	drainLimit = 10 * time.Second
)

// A request is a channel request of RFC 4254 that starts something.
type request struct {
	name    string // "exec", "shell" or "subsystem"
	payload any
	tty     *TTY
}

type execPayload struct{ Command string }

func execRequest(command string) request {
	return request{name: "exec", payload: &execPayload{command}}
}

// A process is a command that runs at the other end of a channel.
type process struct {
	client *Client
	ch     ssh.Channel
	exited chan struct{} // closed when the three fields below are set
	status uint32
	signal string
	known  bool // an exit status or signal has come

	output sync.WaitGroup // what copies the output
	flow   atomic.Int64   // counts writes of output
}

// start starts a command. When ctx ends first, the channel is closed: nothing
// has been sent to a bootstrap by then, so that it ends by itself.
func (c *Client) start(ctx context.Context, r request) (*process, error) {
	ch, reqs, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	p := &process{client: c, ch: ch, exited: make(chan struct{})}
	go p.listen(reqs)
	started := make(chan error, 1)
	go func() { started <- p.request(r) }()
	select {
	case err = <-started:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		ch.Close()
		return nil, err
	}
	if c.started != nil {
		c.started()
	}
	return p, nil
}

func (p *process) request(r request) error {
	if r.tty != nil {
		if err := p.ask("pty-req", r.tty.request()); err != nil {
			return err
		}
	}
	return p.ask(r.name, r.payload)
}

func (p *process) ask(name string, payload any) error {
	var data []byte
	if payload != nil {
		data = ssh.Marshal(payload)
	}
	ok, err := p.ch.SendRequest(name, true, data)
	if err != nil {
		return p.client.lost(err)
	}
	if !ok {
		return fmt.Errorf("start ssh session: sshd of the box refuses the request %q", name)
	}
	return nil
}

// listen takes the end of the command: its status or signal (RFC 4254, section
// 6.10), or else the end of the channel.
func (p *process) listen(reqs <-chan *ssh.Request) {
	end := sync.OnceFunc(func() { close(p.exited) })
	defer end()
	for r := range reqs {
		switch r.Type {
		case "exit-status":
			var m struct{ Status uint32 }
			if ssh.Unmarshal(r.Payload, &m) == nil && !p.known {
				p.status, p.known = m.Status, true
				end()
			}
		case "exit-signal":
			var m struct {
				Signal     string
				CoreDumped bool
				Message    string
				Language   string
			}
			if ssh.Unmarshal(r.Payload, &m) == nil && !p.known {
				p.signal, p.known = m.Signal, true
				end()
			}
		}
		if r.WantReply {
			r.Reply(false, nil)
		}
	}
}

// copy copies one stream of output in the background. When w fails, the rest of
// the stream is thrown away, lest the command stops for it.
func (p *process) copy(w io.Writer, r io.Reader, failed *error) {
	p.output.Go(func() {
		_, err := io.Copy(io.MultiWriter(counter{&p.flow}, w), r)
		if err != nil {
			*failed = err
			io.Copy(io.Discard, r)
		}
	})
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(1)
	return len(b), nil
}

// drain waits for the rest of the output of a command that has exited, and
// closes the channel. It reports whether all writers are done with.
func (p *process) drain() bool {
	done := make(chan struct{})
	go func() {
		p.output.Wait()
		close(done)
	}()
	tick := time.NewTicker(drainIdle)
	defer tick.Stop()
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	for seen := p.flow.Load(); ; {
		select {
		case <-done:
			p.ch.Close()
			return true
		case <-tick.C:
			if n := p.flow.Load(); n != seen {
				seen = n
				continue
			}
		case <-limit.C:
		}
		break
	}
	p.ch.Close() // sshd answers, which ends the copying
	select {
	case <-done:
		return true
	case <-time.After(drainIdle):
		return false
	}
}

// result is the outcome of a command that has exited.
func (p *process) result(argv []string, stderr string) error {
	switch {
	case !p.known:
		return p.client.lost(nil)
	case p.status != 0 || p.signal != "":
		return &provisioner.ExitError{Argv: argv, Status: int(p.status), Signal: p.signal, Stderr: stderr}
	}
	return nil
}

// feed sends the header and then r, and reports an error of r only: that of the
// channel comes from a command that reads no further.
func (p *process) feed(line string, r io.Reader) <-chan error {
	failed := make(chan error, 1)
	go func() {
		defer p.ch.CloseWrite()
		if _, err := io.WriteString(p.ch, line); err != nil || r == nil {
			return
		}
		in := &readErrors{r: r}
		io.Copy(p.ch, in)
		if in.err != nil {
			failed <- fmt.Errorf("read standard input of command: %w", in.err)
			<-p.exited // no end of file before the command is killed
		}
	}()
	return failed
}

// readErrors remembers an error of its reader.
type readErrors struct {
	r   io.Reader
	err error
}

func (r *readErrors) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
