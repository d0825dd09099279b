package app

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// completeArg is the hidden command that the shells' scripts call with the words
// of a command line after "berth", the one that is being typed last.
const completeArg = "complete"

// candidate is a word that could stand at the end of a command line.
type candidate struct{ word, about string }

// completing returns the words of a command line that is to be completed.
func completing(args []string) ([]string, bool) {
	if len(args) < 3 || args[1] != completeArg || args[2] != "--" {
		return nil, false
	}
	return args[3:], true
}

// complete writes what the last word of a command line can become: WORD, a tab
// and what it is, one a line. It says nothing of what goes wrong: somebody is in
// the middle of typing.
func complete(d *deps, words []string) {
	d.ui.Err = io.Discard
	a := newApp(d)
	for _, c := range candidates(a, words, d.boxNames) {
		fmt.Fprintf(d.ui.Out, "%s\t%s\n", c.word, c.about)
	}
}

// candidates are the words that can come last. boxes names those that there are.
func candidates(a *cli.App, words []string, boxes func(chdir string) []string) []candidate {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	line := split(words[:len(words)-1], a.Flags, nil)
	commands, flags := a.Commands, slices.Clone(a.Flags)
	var command *cli.Command
	for _, name := range line.names {
		c := subcommand(&cli.Command{Subcommands: commands}, name)
		if c == nil {
			break
		}
		command, commands = c, c.Subcommands
		flags = append(slices.Clone(c.Flags), a.Flags...)
	}
	var all []candidate
	switch {
	case line.after != nil || takesValue(flags, words):
		return nil // ssh's own words, a value: files, as the shell likes
	case strings.HasPrefix(last, "-"):
		all = flagCandidates(flags)
	case command == nil || len(commands) > 0:
		for _, c := range commands {
			if !c.Hidden {
				all = append(all, candidate{c.Name, c.Usage})
			}
		}
	case strings.Contains(command.ArgsUsage, "NAME") || strings.Contains(command.ArgsUsage, "BOX"):
		for _, name := range boxes(valueOf(words, "-C", "--chdir")) {
			all = append(all, candidate{name, "box"})
		}
	}
	return slices.DeleteFunc(all, func(c candidate) bool { return !strings.HasPrefix(c.word, last) })
}

// takesValue reports whether the last word is the value of the flag before it.
func takesValue(flags []cli.Flag, words []string) bool {
	if len(words) < 2 || !strings.HasPrefix(words[len(words)-2], "-") {
		return false
	}
	name := strings.TrimLeft(words[len(words)-2], "-")
	f := findFlag(flags, name)
	return f != nil && !isBool(f) && !strings.Contains(name, "=")
}

func flagCandidates(flags []cli.Flag) []candidate {
	all := []candidate{{"--help", "show help"}}
	for _, f := range flags {
		usage := ""
		if documented, ok := f.(cli.DocGenerationFlag); ok {
			usage = strings.ReplaceAll(documented.GetUsage(), "`", "")
		}
		name := f.Names()[0]
		if len(name) > 1 {
			name = "-" + name
		}
		all = append(all, candidate{"-" + name, usage})
	}
	return all
}

// valueOf returns the value of a flag that is a word of its own.
func valueOf(words []string, names ...string) string {
	for i, w := range words[:len(words)-1] {
		if slices.Contains(names, w) {
			return words[i+1]
		}
	}
	return ""
}

// boxNames are the boxes of the Envfile that is looked for from a folder on, and
// those that exist.
func (d *deps) boxNames(chdir string) []string {
	if chdir != "" && os.Chdir(chdir) != nil {
		return nil
	}
	d.log = slog.New(slog.DiscardHandler)
	e, err := d.engine(true)
	if err != nil {
		return nil
	}
	var names []string
	for _, b := range e.Envfile.Boxes {
		names = append(names, b.Name)
	}
	existing, _ := e.Existing(nil) // better few than none
	for _, x := range existing {
		if !slices.Contains(names, x.Name()) {
			names = append(names, x.Name())
		}
	}
	return names
}

// completionCommand writes a shell's script.
func completionCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "write the completion script of a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: "The Debian package installs all three. By hand: source <(berth completion bash) in ~/.bashrc,\n" +
			"berth completion zsh >~/.zfunc/_berth, berth completion fish >~/.config/fish/completions/berth.fish",
		Action: func(c *cli.Context) error {
			script, ok := completionScripts[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return &usageError{text: "completion takes the name of a shell: bash, zsh or fish"}
			}
			_, err := io.WriteString(d.ui.Out, script)
			return err
		},
	}
}

// completionScripts are what the shells read. Each calls completeArg.
var completionScripts = map[string]string{
	"bash": `# bash completion for berth
_berth() {
	local IFS=$'\n' line
	COMPREPLY=()
	while read -r line; do
		COMPREPLY+=("${line%%$'\t'*}")
	done < <(berth complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _berth berth
`,
	"zsh": `#compdef berth
_berth() {
	local -a found
	local line
	while IFS= read -r line; do
		found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
	done < <(berth complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
	if (( ${#found} )); then _describe berth found; else _files; fi
}
if [ "$funcstack[1]" = "_berth" ]; then _berth "$@"; else compdef _berth berth; fi
`,
	"fish": `# fish completion for berth
function __berth_complete
	set -l words (commandline -opc) (commandline -ct)
	berth complete -- $words[2..-1] 2>/dev/null
end
complete -c berth -f -a '(__berth_complete)'
`,
}
