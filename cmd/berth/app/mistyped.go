package app

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agext/levenshtein"
	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/internal/engine"
)

// What a mistyped command line probably meant.

// wordsElsewhere are the words of other tools, and of everyday speech, for what
// berth has a command for.
var wordsElsewhere = map[string]string{
	"ps": "status", "ls": "status", "list": "status", "top": "status", "stats": "status", "inspect": "status",
	"exec": "ssh -c", "run": "ssh -c",
	"login": "ssh", "shell": "ssh", "enter": "ssh", "attach": "ssh", "connect": "ssh",
	"start": "up", "create": "up", "build": "up",
	"stop": "halt", "down": "halt", "kill": "halt --force", "poweroff": "halt",
	"rm": "destroy", "delete": "destroy", "remove": "destroy",
	"restart": "reload", "reboot": "reload",
	"pause": "suspend", "unpause": "resume",
	"images": "image list", "import": "image import", "load": "image import",
	"snapshots": "snapshot list", "clone": "fork", "commit": "snapshot save",
	"ports": "port", "scp": "cp", "copy": "cp", "sync": "rsync",
	"prune": "gc", "clean": "gc", "check": "validate", "format": "fmt", "diff": "plan",
	"plugins": "plugin list",
}

// subcommandsElsewhere are such words for the commands of a group.
var subcommandsElsewhere = map[string]string{
	"ls": "list", "show": "list", "rm": "delete", "remove": "delete", "create": "save", "revert": "restore", "load": "import",
}

// flagsElsewhere are flags of other tools.
var flagsElsewhere = map[string]string{"y": "f", "yes": "f", "assume-yes": "f"}

// nearest returns the candidate that is a slip of the fingers away from word, or
// begins with it and is the only one; "" for none. A far word misleads.
func nearest(word string, candidates []string) string {
	best, distance := "", max(1, len(word)/3)+1
	var longer []string
	for _, c := range candidates {
		if c == word {
			continue
		}
		if d := levenshtein.Distance(word, c, nil); d < distance && d < len(c) && d < len(word) {
			best, distance = c, d
		}
		if len(word) > 2 && strings.HasPrefix(c, word) {
			longer = append(longer, c)
		}
	}
	if best == "" && len(longer) == 1 {
		return longer[0]
	}
	return best
}

// didYouMean is the sentence for what nearest found, with a space before it.
func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", near)
}

// names are those of commands that help shows.
func names(commands []*cli.Command) []string {
	var all []string
	for _, c := range commands {
		if !c.Hidden {
			all = append(all, c.Name)
		}
	}
	return all
}

// noCommand answers a command line without a command that exists.
func noCommand(c *cli.Context) error {
	name := c.Args().First()
	if name == "" || name == "help" {
		return cli.ShowAppHelp(c)
	}
	near := wordsElsewhere[name]
	if near == "" {
		near = nearest(name, names(c.App.Commands))
	}
	return &usageError{text: fmt.Sprintf("there is no command %q.", name) + didYouMean(near)}
}

// noSubcommand answers the name of a group of commands without one that exists.
func (d *deps) noSubcommand(c *cli.Context) error {
	switch c.Args().First() {
	case "help":
		return cli.ShowSubcommandHelp(c)
	case "":
		cli.HelpPrinter(d.ui.Err, cli.SubcommandHelpTemplate, c.Command)
		return statusError(exitUsage)
	}
	all := names(c.Command.Subcommands)
	name := c.Args().First()
	near := subcommandsElsewhere[name]
	if !slices.Contains(all, near) {
		near = nearest(name, all)
	}
	return &usageError{text: fmt.Sprintf("berth %s has no command %q; it has %s.", c.Command.Name, name, strings.Join(all, ", ")) + didYouMean(near)}
}

// What package flag says of a command line.
var (
	flagUnknown = regexp.MustCompile(`^flag provided but not defined: -(.*)$`)
	flagEmpty   = regexp.MustCompile(`^flag needs an argument: -(.*)$`)
	flagInvalid = regexp.MustCompile(`(?s)^invalid (?:boolean )?value ("(?:[^"\\]|\\.)*") for (?:flag )?-([^:]*): (.*)$`)
)

// onUsageError makes urfave/cli's complaints about flags usage errors that name
// the flag as it was typed.
func (d *deps) onUsageError(c *cli.Context, err error, _ bool) error {
	of, flags := "berth", c.App.Flags
	if c.Command != nil && c.Command.Name != c.App.Name {
		of, flags = "berth "+c.Command.FullName(), slices.Concat(c.Command.Flags, c.App.Flags)
	}
	if m := flagUnknown.FindStringSubmatch(err.Error()); m != nil {
		return &usageError{text: fmt.Sprintf("%s has no flag %s.", of, d.typed(m[1])) + didYouMean(nearFlag(m[1], flags))}
	}
	if m := flagEmpty.FindStringSubmatch(err.Error()); m != nil {
		return &usageError{text: d.typed(m[1]) + " needs a value"}
	}
	if m := flagInvalid.FindStringSubmatch(err.Error()); m != nil {
		return &usageError{text: fmt.Sprintf("%s takes %s, not %s", d.typed(m[2]), valueForm(findFlag(flags, m[2]), m[3]), m[1])}
	}
	return &usageError{text: err.Error()}
}

// typed is a flag as the command line has it.
func (d *deps) typed(name string) string {
	for _, a := range d.args {
		if word, _, _ := strings.Cut(a, "="); strings.HasPrefix(a, "-") && strings.TrimLeft(word, "-") == name {
			return word
		}
	}
	return dashed(name)
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// nearFlag returns the flag that was probably meant, with its dashes, or "".
func nearFlag(name string, flags []cli.Flag) string {
	near := flagsElsewhere[name]
	if near == "" || findFlag(flags, near) == nil {
		var all []string
		for _, f := range flags {
			for _, n := range f.Names() {
				if len(n) > 1 {
					all = append(all, n)
				}
			}
		}
		near = nearest(name, all)
	}
	if near == "" {
		return ""
	}
	return dashed(near)
}

// valueForm says what a flag takes; otherwise is how the flag itself says it.
func valueForm(f cli.Flag, otherwise string) string {
	switch f.(type) {
	case *cli.IntFlag, *cli.Int64Flag:
		return "a whole number"
	case *cli.DurationFlag:
		return "a time with its unit, such as 90s or 2m"
	case *cli.BoolFlag:
		return "no value, or true or false"
	}
	return otherwise
}

// age is the value of a flag for a time that can be long: that of Go, or days.
type age time.Duration

const day = 24 * time.Hour

func (a *age) Set(s string) error {
	errForm := errors.New("a time such as 30d or 12h")
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return errForm
		}
		*a = age(time.Duration(n) * day)
		return nil
	}
	t, err := time.ParseDuration(s)
	if err != nil || t < 0 {
		return errForm
	}
	*a = age(t)
	return nil
}

func (a *age) String() string {
	if t := time.Duration(*a); t%day != 0 {
		return t.String()
	}
	return fmt.Sprintf("%dd", time.Duration(*a)/day)
}

// meantBox is the sentence that names a box that an error was probably about.
func meantBox(err error) string {
	var unknown *engine.UnknownBoxError
	if !errors.As(err, &unknown) {
		return ""
	}
	if near := didYouMean(nearest(unknown.Name, unknown.Known)); near != "" {
		return "." + near
	}
	return ""
}
