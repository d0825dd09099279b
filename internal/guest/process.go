package guest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"

	"github.com/berth-dev/berth/provisioner"
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
	known  bool          // an exit status or signal has come
	ended  chan struct{} // closed at the end of the channel

	output  sync.WaitGroup // what copies the output
	flow    atomic.Int64   // counts pieces of output
	writing atomic.Int32   // how many streams wait for whoever takes the output
}

// start starts a command. When ctx ends first, the channel is closed: nothing
// has been sent to a bootstrap by then, so that it ends by itself.
func (c *Client) start(ctx context.Context, r request) (*process, error) {
	ch, reqs, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	p := &process{client: c, ch: ch, exited: make(chan struct{}), ended: make(chan struct{})}
	go p.listen(reqs)
	started := make(chan error, 1)
	go func() { started <- p.request(r) }()
	select {
	case err = <-started:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		go ch.Close() // it may wait for a box that takes nothing any more
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
	defer close(p.ended)
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
