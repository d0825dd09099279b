package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/berth-dev/berth/internal/engine"
	"github.com/berth-dev/berth/internal/guest"
	"github.com/berth-dev/berth/provisioner"
)

func sshCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "ssh",
		Usage:     "enter a box, or run a command in it",
		ArgsUsage: "[NAME] [-- SSH-OPTION...]",
		Description: "Without -c this runs ssh(1), where that is installed, with what follows \"--\" as further\n" +
			"arguments. With -c the command's exit status is that of berth.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "command", Aliases: []string{"c"}, Usage: "run `COMMAND` in a shell in the box"},
			&cli.BoolFlag{Name: "no-tty", Aliases: []string{"T"}, Usage: "give the command no terminal, even when there is one here"},
		},
		Action: func(c *cli.Context) error {
			name, extra, err := splitSSHArgs(c.Args().Slice())
			if err != nil {
				return err
			}
			e, err := d.engine(false)
			if err != nil {
				return err
			}
			box, err := engine.One(e.Envfile, name)
			if err != nil {
				return err
			}
			access, err := e.Access(box)
			if err != nil {
				return err
			}
			if c.IsSet("command") {
				return d.runInBox(c.Context, e, access, c.String("command"), c.Bool("no-tty"))
			}
			return d.enter(c.Context, e, access, extra)
		},
	}
}

// splitSSHArgs takes the box's name and what follows "--" apart.
func splitSSHArgs(args []string) (name string, extra []string, err error) {
	for i, a := range args {
		if a == "--" {
			args, extra = args[:i], args[i+1:]
			break
		}
	}
	if len(args) > 1 {
		return "", nil, &usageError{text: fmt.Sprintf(
			"ssh takes one box, and a command with -c: berth ssh %s -c %q", args[0], strings.Join(args[1:], " "))}
	}
	return first(args), extra, nil
}

// enter gives the user a shell in the box.
func (d *deps) enter(ctx context.Context, e *engine.Engine, a engine.Access, extra []string) error {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		if len(extra) > 0 {
			return errors.New("ssh is not installed, so it cannot be given options: install openssh-client")
		}
		return d.runInBox(ctx, e, a, "", false)
	}
	if err := e.Awake(ctx, a); err != nil {
		return err
	}
	// ssh would only say that the connection was refused, or wait for a minute.
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", a.Record.SSH.Addr)
	if err != nil {
		return e.Explain(ctx, a, fmt.Errorf("box %q does not answer: %w", a.Record.Name, err))
	}
	conn.Close()
	e.Heal(ctx, a)
	argv := []string{"ssh"}
	for _, o := range a.SSHOptions() {
		argv = append(argv, "-o", o.Key+"="+o.Quoted())
	}
	argv = append(append(argv, a.Record.ID), extra...)
	d.close() // what the process leaves open would be ssh's
	return syscall.Exec(ssh, argv, os.Environ())
}

// runInBox runs a command, or for an empty one a shell, over our own connection.
func (d *deps) runInBox(ctx context.Context, e *engine.Engine, a engine.Access, command string, noTTY bool) error {
	client, err := e.Dial(ctx, a)
	if err != nil {
		return err
	}
	defer client.Close()
	o := guest.SessionOptions{Command: command, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	in, out := int(os.Stdin.Fd()), int(os.Stdout.Fd())
	if !noTTY && term.IsTerminal(in) && term.IsTerminal(out) {
		restore, tty, err := rawTerminal(ctx, in, out)
		if err != nil {
			return err
		}
		defer restore()
		o.TTY = tty
	}
	err = client.Session(ctx, o)
	var exit *provisioner.ExitError
	if errors.As(err, &exit) {
		return statusError(shellStatus(exit))
	}
	return err
}

// shellStatus is what a shell would return for such a command.
func shellStatus(e *provisioner.ExitError) int {
	const bySignal = 128
	if e.Signal != "" {
		return bySignal + int(unix.SignalNum("SIG"+e.Signal))
	}
	return e.Status
}
