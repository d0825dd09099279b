package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/berth-dev/berth/provisioner"
)

// Guest is the box as a provisioner sees it. What the provisioner does not take
// of its commands' output goes to out.
func (c *Client) Guest(info provisioner.Info, out Output) provisioner.Guest {
	return &box{client: c, info: info, out: out}
}

type box struct {
	client *Client
	info   provisioner.Info
	out    Output
}

func (b *box) Info() provisioner.Info { return b.info }

func (b *box) Report(text string) { b.out.Report(text) }

// Run runs a command; see the package comment for how.
func (b *box) Run(ctx context.Context, cmd provisioner.Cmd) error {
	tag := newTag()
	line, err := runHeader(cmd, tag)
	if err != nil {
		return err
	}
	r := asUser
	if cmd.Root {
		r = asRoot
	}
	stdout, flushOut := b.stream(1, cmd.Stdout)
	stderr, flushErr := b.stream(2, cmd.Stderr)
	j := &job{
		command: b.client.commandLine(r, runTag+"="+tag),
		argv:    cmd.Argv,
		header:  line,
		tagName: runTag,
		tag:     tag,
		stdin:   cmd.Stdin,
		stdout:  stdout,
		stderr:  stderr,
	}
	err = b.client.run(ctx, j)
	if !j.detached {
		flushOut()
		flushErr()
	}
	if cmd.Root {
		err = sudoTrouble(err, b.client.target.User)
	}
	return err
}

// runHeader is what the bootstrap of a command is to do.
func runHeader(cmd provisioner.Cmd, tag string) (string, error) {
	var h header
	dir, err := homePath(cmd.Dir)
	if err != nil {
		return "", fmt.Errorf("change folder: %w", err)
	}
	if dir != "." {
		h.WriteString("cd -- " + quote(dir) + " || exit; ")
	}
	if err := h.export(cmd.Env); err != nil {
		return "", err
	}
	h.tag(runTag, tag)
	if err := h.exec(cmd.Argv); err != nil {
		return "", err
	}
	return h.line(), nil
}

// stream is w, or else lines for the user and how to end the last of them.
func (b *box) stream(n int, w io.Writer) (io.Writer, func()) {
	if w != nil {
		return w, func() {}
	}
	lines := &lineWriter{emit: func(line []byte) { b.out.Line(n, line) }}
	return lines, lines.flush
}

// A job is a command that is killed by its tag when its context ends.
type job struct {
	command        string // for sshd
	argv           []string
	header         string
	tagName, tag   string
	stdin          io.Reader
	stdout, stderr io.Writer
	detached       bool // set when a writer never came back
}

func (c *Client) run(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p, err := c.start(ctx, execRequest(j.command))
	if err != nil {
		return err
	}
	var failed [2]error
	last := &tail{}
	p.copy(j.stdout, p.ch, &failed[0])
	p.copy(io.MultiWriter(last, j.stderr), p.ch.Stderr(), &failed[1])
	in := p.feed(j.header, j.stdin)
	defer in.stop()
	select {
	case <-p.exited:
		err = nil
	case <-ctx.Done():
		err = ctx.Err()
	case err = <-in.failed:
	}
	if err != nil {
		c.kill(ctx, j.tagName, j.tag) // ctx's end is the news; KillStray gets what is left
	}
	j.detached = !p.drain(ctx)
	switch {
	case err != nil:
		return err
	case j.detached && ctx.Err() != nil:
		return ctx.Err()
	case j.detached:
		return fmt.Errorf("take output of command: %w", p.client.lost(errors.New("the box does not answer")))
	}
	if err := p.result(j.argv, last.String()); err != nil {
		return err
	}
	if err := errors.Join(failed[:]...); err != nil {
		return fmt.Errorf("take output of command: %w", err)
	}
	return nil
}

// sudoTrouble tells an error of sudo itself from one of the command. The texts
// are sudo's, which speaks English unless the box was told otherwise; then the
// user still sees what sudo said.
func sudoTrouble(err error, user string) error {
	var exit *provisioner.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	said := exit.Stderr[strings.LastIndexByte(exit.Stderr, '\n')+1:]
	if exit.Status == 127 && strings.HasSuffix(said, "sudo: not found") || strings.HasSuffix(said, "sudo: command not found") {
		return fmt.Errorf("run as root: the box has no sudo, and user %s is not root", user)
	}
	if exit.Status != 1 || !strings.HasPrefix(said, "sudo: ") && !strings.HasPrefix(said, user+" ") && !strings.HasPrefix(said, "Sorry, user ") {
		return err
	}
	for _, text := range []string{"a password is required", "a terminal is required", "not in the sudoers file", "may not run sudo", "not allowed to execute", "no tty present"} {
		if strings.Contains(said, text) {
			return fmt.Errorf("run as root: user %s of the box needs sudo without a password (%s)", user, said)
		}
	}
	return err
}
