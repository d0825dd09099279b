// Package app is berth's command line: it reads arguments, loads what a command
// needs, calls the engine and says how it went. Each command has a file; what
// boxes go through is the engine's business.
package app

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/internal/forward"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/plugins/builtin"
)

// Version is set by the linker in releases.
var Version = "dev"

// Main runs the command line args and returns the exit status.
func Main(args []string) int {
	// A plugin of our own: nothing of the command line is needed.
	if len(args) == 5 && args[1] == "plugin" && args[2] == "serve" {
		fmt.Fprintln(os.Stderr, builtin.Serve(args[3], args[4]))
		return exitFailed
	}
	if len(args) >= 5 && args[1] == "plugin" && args[2] == "helper" { // what such a plugin starts
		return builtin.Helper(args[3], args[4])
	}
	if len(args) == 3 && args[1] == forward.Command { // what `berth up` starts
		return forward.Main()
	}
	d := &deps{ui: ui.New(os.Stdin, os.Stdout, os.Stderr), args: args, ctx: context.Background()}
	defer d.close()
	if words, ok := completing(args); ok {
		complete(d, words)
		return exitOK
	}
	ctx, stop := interruptible(d)
	defer stop()
	a := newApp(d)
	err := a.RunContext(ctx, hoistFlags(a, helpLast(a, args)))
	return d.exit(ctx, err)
}

// interruptible returns a context that the first interrupt ends, so that what
// was begun is undone or left in order. The second ends the process at once; the
// kernel then drops its locks, and its plugins notice and end.
func interruptible(d *deps) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup, and a shell's background, mean it
			signal.Notify(signals, s)
		}
	}
	go func() {
		<-signals
		d.ui.Println("interrupted: cleaning up (interrupt again to stop at once)")
		cancel(errInterrupted)
		<-signals
		d.ui.EndLive()
		os.Exit(exitInterrupted)
	}()
	return ctx, func() { cancel(nil) }
}

func newApp(d *deps) *cli.App {
	a := &cli.App{
		Name:      "berth",
		Usage:     "development boxes on Linux from one file",
		UsageText: "berth COMMAND [NAME...] [options]",
		Version:   Version,
		Writer:    d.ui.Out,
		ErrWriter: d.ui.Err,
		// Errors are returned and judged in exit.go: the default would end the
		// process before anything is cleaned up.
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError:    d.onUsageError,
		HideHelpCommand: true,
		Action:          noCommand,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "chdir", Aliases: []string{"C"}, Usage: "look for the Envfile from `DIR` on"},
			&cli.StringSliceFlag{Name: "var", Usage: "set a variable of the Envfile: `NAME=VALUE` (repeatable)"},
			&cli.BoolFlag{Name: "debug", Usage: "write a debug log to standard error", EnvVars: []string{"BERTH_DEBUG"}, DisableDefaultText: true},
		},
		Before: d.before,
		Commands: []*cli.Command{
			initCommand(d), validateCommand(d), fmtCommand(d), lockCommand(d), planCommand(d),
			upCommand(d), provisionCommand(d), reloadCommand(d), haltCommand(d), destroyCommand(d),
			suspendCommand(d), resumeCommand(d), resizeCommand(d),
			snapshotCommand(d), forkCommand(d), packageCommand(d), imageCommand(d), dfCommand(d), gcCommand(d),
			sshCommand(d), sshConfigCommand(d), cpCommand(d), rsyncCommand(d), statusCommand(d), portCommand(d),
			globalStatusCommand(d), logsCommand(d), doctorCommand(d), setupCommand(d),
			pluginCommand(d), completionCommand(d), manCommand(d), versionCommand(d),
		},
	}
	d.setUp(a.Commands)
	return a
}

// setUp sets what urfave/cli does not hand down from the app to its commands.
func (d *deps) setUp(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = d.onUsageError
		c.HideHelpCommand = true
		if len(c.Subcommands) > 0 && c.Action == nil {
			c.Action, c.UsageText = d.noSubcommand, "berth "+c.Name+" COMMAND [options]"
		}
		for _, f := range c.Flags {
			if b, ok := f.(*cli.BoolFlag); ok {
				b.DisableDefaultText = true // it is false
			}
		}
		d.setUp(c.Subcommands)
	}
}

// berth --version says the same as berth version.
func init() {
	cli.VersionFlag = &cli.BoolFlag{Name: "version", Usage: "show which berth this is", DisableDefaultText: true}
	cli.VersionPrinter = func(c *cli.Context) { fmt.Fprintln(c.App.Writer, versionText()) }
}
