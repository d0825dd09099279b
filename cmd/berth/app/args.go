package app

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// hoistFlags moves the flags of a command before its names, where urfave/cli v2
// looks for them: `berth up web --no-provision` means what it says. What comes
// after "--" stays as it is, with the "--" kept for the command to see. A flag
// of berth itself may come anywhere too.
func hoistFlags(a *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	global, rest := splitFlags(args[1:], func(string) []cli.Flag { return a.Flags }, true)
	out := append([]string{args[0]}, global...)
	command := a.Command(first(rest))
	if command == nil {
		return append(out, rest...)
	}
	names := []string{rest[0]}
	rest = rest[1:]
	for len(command.Subcommands) > 0 && len(rest) > 0 {
		sub := subcommand(command, rest[0])
		if sub == nil {
			break
		}
		command, names, rest = sub, append(names, rest[0]), rest[1:]
	}
	early, rest := splitFlags(rest, func(name string) []cli.Flag { return a.Flags }, false)
	own, rest := splitFlags(rest, func(string) []cli.Flag { return command.Flags }, false)
	out = append(out, early...)
	out = append(out, names...)
	out = append(out, own...)
	if first(rest) == "--" {
		out = append(out, "--") // urfave/cli takes one away when no name is before it
	}
	return append(out, rest...)
}

// splitFlags takes the flags that known has, with their values, out of args up
// to "--". With leading set it stops at the first word that is no flag.
func splitFlags(args []string, known func(string) []cli.Flag, leading bool) (flags, rest []string) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return flags, append(rest, args[i:]...)
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			rest = append(rest, arg)
			if leading {
				return flags, append(rest, args[i+1:]...)
			}
			continue
		}
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		f := findFlag(known(name), name)
		switch {
		case f == nil && !leading && isHelp(name):
			flags = append(flags, arg)
		case f == nil:
			rest = append(rest, arg)
		case hasValue || isBool(f) || i+1 == len(args):
			flags = append(flags, arg)
		default:
			flags = append(flags, arg, args[i+1])
			i++
		}
	}
	// A flag that nobody knows goes where it is complained about.
	return flags, unknownFirst(rest, leading)
}

// unknownFirst puts unknown flags before names, so that they are not taken for
// names.
func unknownFirst(rest []string, leading bool) []string {
	if leading {
		return rest
	}
	var flags, names []string
	for _, r := range rest {
		if strings.HasPrefix(r, "-") && r != "-" {
			flags = append(flags, r)
		} else {
			names = append(names, r)
		}
	}
	return append(flags, names...)
}

func isHelp(name string) bool { return name == "h" || name == "help" }

func findFlag(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		for _, n := range f.Names() {
			if n == name {
				return f
			}
		}
	}
	return nil
}

func isBool(f cli.Flag) bool {
	_, ok := f.(*cli.BoolFlag)
	return ok
}

func subcommand(c *cli.Command, name string) *cli.Command {
	for _, s := range c.Subcommands {
		if s.HasName(name) {
			return s
		}
	}
	return nil
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}
