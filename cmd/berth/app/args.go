package app

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// hoistFlags moves the flags of a command before its names, where urfave/cli v2
// looks for them: `berth up web --no-provision` means what it says. Flags of
// berth itself may stand anywhere too. What comes after "--" stays as it is,
// with the "--" kept for the command to see.
func hoistFlags(a *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	words := split(args[1:], a.Flags, nil)
	if len(words.names) == 0 {
		return args
	}
	path, command := words.names[:1], a.Command(words.names[0])
	if command == nil {
		return args
	}
	if len(command.Subcommands) > 0 && len(words.names) > 1 {
		sub := subcommand(command, words.names[1])
		if sub == nil && len(names(command.Subcommands)) > 0 {
			return append([]string{args[0]}, words.names...) // what is wrong is the name, not its flags
		}
		if sub != nil {
			path, command = words.names[:2], sub
		}
	}
	words = split(args[1:], a.Flags, command.Flags)
	out := append([]string{args[0]}, words.global...)
	out = append(out, path...)
	out = append(out, words.own...)
	rest := words.names[len(path):]
	if len(rest) == 0 && len(words.after) > 0 {
		out = append(out, "--") // urfave/cli takes away one that no name is before
	}
	return append(append(out, rest...), words.after...)
}

// helpLast makes "berth help up" the "berth up --help" that it means.
func helpLast(a *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	if n := split(args[1:], a.Flags, nil).names; len(n) < 2 || n[0] != "help" {
		return args
	}
	i := slices.Index(args, "help")
	return append(slices.Delete(slices.Clone(args), i, i+1), "--help")
}

// words are the parts of a command line.
type words struct {
	global []string // flags of berth, with their values
	own    []string // flags of the command, with their values; unknown ones too
	names  []string // the command and its arguments
	after  []string // "--" and what follows
}

// split takes a command line apart. A flag that nobody knows goes to the
// command, which complains about it; whether it has a value is not known then,
// so the first call, which only looks for the command, may take that for a name.
func split(args []string, global, own []cli.Flag) words {
	var w words
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			w.after = args[i:]
			return w
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			w.names = append(w.names, arg)
			continue
		}
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		to, f := &w.own, findFlag(own, name)
		if f == nil {
			if f = findFlag(global, name); f != nil && !isHelp(name) {
				to = &w.global
			}
		}
		*to = append(*to, arg)
		if f != nil && !hasValue && !isBool(f) && i+1 < len(args) {
			i++
			*to = append(*to, args[i])
		}
	}
	return w
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
