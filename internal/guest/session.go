package guest

import (
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"
)

// SessionOptions describe a session of a person in a box.
type SessionOptions struct {
	// Command is for the user's login shell, as it stands. Empty means a login
	// shell that reads standard input.
	Command string
	// Env is added to the environment. Without a TTY it goes over standard
	// input; with one it is on a command line in the box until the shell runs.
	Env map[string]string

	Stdin          io.Reader // nil: empty
	Stdout, Stderr io.Writer // nil: thrown away

	// TTY asks for a terminal; standard error comes on Stdout then.
	TTY *TTY
}

// TTY is the terminal of a session.
type TTY struct {
	Term          string      // kind, such as "xterm-256color"
	Width, Height int         // in characters
	Resize        <-chan Size // new sizes; may be nil
}

// Size is the size of a terminal in characters.
type Size struct{ Width, Height int }

// Session runs a session and waits for its end. A command that did not succeed
// is a [*provisioner.ExitError]. When ctx ends, a session without a terminal is
// killed with all that it started; one with a terminal is hung up on, which
// leaves alone what a person had detached from it.
func (c *Client) Session(ctx context.Context, o SessionOptions) error {
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	argv := []string{o.Command}
	if o.Command == "" {
		argv[0] = "shell"
	}
	if o.TTY != nil {
		return c.terminal(ctx, o, argv)
	}
	tag := newTag()
	var h header
	if err := h.export(o.Env); err != nil {
		return err
	}
	h.tag(sshTag, tag)
	h.WriteString(loginShell(o.Command))
	return c.run(ctx, &job{
		command: c.commandLine(asUser, sshTag+"="+tag),
		argv:    argv,
		header:  h.line(),
		tagName: sshTag,
		tag:     tag,
		stdin:   o.Stdin,
		stdout:  o.Stdout,
		stderr:  o.Stderr,
	})
}

// loginShell starts the user's shell from sh. sshd sets SHELL.
func loginShell(command string) string {
	if command == "" {
		return `exec "${SHELL:-/bin/sh}" -l`
	}
	return `exec "${SHELL:-/bin/sh}" -c ` + quote(command)
}

func (c *Client) terminal(ctx context.Context, o SessionOptions, argv []string) error {
	r, err := terminalRequest(o)
	if err != nil {
		return err
	}
	p, err := c.start(ctx, r)
	if err != nil {
		return err
	}
	var failed [2]error
	p.copy(o.Stdout, p.ch, &failed[0])
	p.copy(o.Stderr, p.ch.Stderr(), &failed[1])
	in := p.feed("", o.Stdin)
	defer in.stop()
	resize := o.TTY.Resize
	for running := true; running; {
		select {
		case <-p.exited:
			running = false
		case size, ok := <-resize:
			if !ok {
				resize = nil
				continue
			}
			p.ch.SendRequest("window-change", false, size.payload())
		case err = <-in.failed:
			running = false
		case <-ctx.Done():
			err, running = ctx.Err(), false
		}
	}
	if err != nil {
		go p.ch.Close() // it may wait for a box that takes nothing any more
	}
	whole := p.drain(ctx)
	switch {
	case err != nil:
		return err
	case !whole && ctx.Err() != nil:
		return ctx.Err()
	}
	return p.result(argv, "")
}

// terminalRequest starts a shell or command on a terminal, whose input cannot
// carry a header: it would be echoed.
func terminalRequest(o SessionOptions) (request, error) {
	r := request{name: "shell", tty: o.TTY}
	if o.Command != "" {
		r = execRequest(o.Command)
		r.tty = o.TTY
	}
	if len(o.Env) == 0 {
		return r, nil
	}
	var h header
	if err := h.export(o.Env); err != nil {
		return r, err
	}
	h.WriteString(loginShell(o.Command))
	r = execRequest(`exec sh -c 'eval "$(printf %b "$0")"' '` + escape(strings.TrimSuffix(h.line(), "\n")) + "'")
	r.tty = o.TTY
	return r, nil
}

// escape writes s for printf %b with characters that every shell leaves alone
// between single quotes.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch ch := s[i]; {
		case ch >= 'a' && ch <= 'z', ch >= 'A' && ch <= 'Z', ch >= '0' && ch <= '9', strings.IndexByte(" _-./=:,;+@", ch) >= 0:
			b.WriteByte(ch)
		default: // at most three digits belong to the number
			fmt.Fprintf(&b, `\0%03o`, ch)
		}
	}
	return b.String()
}

// ptyPayload is a pty-req of RFC 4254, section 6.2.
type ptyPayload struct {
	Term                         string
	Columns, Rows, Width, Height uint32
	Modes                        string
}

func (t *TTY) request() *ptyPayload {
	return &ptyPayload{Term: t.Term, Columns: uint32(t.Width), Rows: uint32(t.Height), Modes: "\x00"}
}

// payload is that of a window-change request, section 6.7.
func (s Size) payload() []byte {
	return ssh.Marshal(&struct{ Columns, Rows, Width, Height uint32 }{Columns: uint32(s.Width), Rows: uint32(s.Height)})
}
