package app

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// manCommand writes berth(1), for packages.
func manCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name: "man", Hidden: true, Usage: "write the manual page berth(1)",
		Action: func(c *cli.Context) error {
			_, err := io.WriteString(d.ui.Out, manPage(c.App))
			return err
		},
	}
}

// manPage is the manual page of an app (man-pages(7), groff_man(7)).
func manPage(a *cli.App) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH BERTH 1 \"\" %q \"Berth\"\n.SH NAME\nberth \\- %s\n.SH SYNOPSIS\n.B berth\n%s\n",
		"berth "+a.Version, roff(a.Usage), roff(strings.TrimPrefix(a.UsageText, "berth ")))
	b.WriteString(`.SH DESCRIPTION
Berth brings up development boxes from the
.I Envfile
of a project: the nearest one in this folder or above it.
Flags may follow names.
.SH OPTIONS
`)
	manFlags(&b, a.Flags)
	b.WriteString(".SH COMMANDS\n")
	manCommands(&b, "berth", a.Commands)
	b.WriteString(`.SH EXIT STATUS
0 done, 1 failed, 2 not understood, 3 the Envfile has problems, 130 interrupted.
.B berth ssh \-c
passes on the status of its command;
.B berth destroy
returns 2 when some boxes were declined, and
.B berth plan \-\-exit\-code
2 when there is something to do.
.SH FILES
.TP
.I Envfile, Envfile.local, Envfile.lock
what a project's boxes are; what differs for one person; what it all means to the byte
.TP
.I $XDG_CONFIG_HOME/berth/Envfile
a user's own defaults; by default
.I ~/.config/berth/Envfile
.TP
.I /var/lib/berth, $XDG_DATA_HOME/berth
the data of root's and of a user's boxes, the latter by default in
.IR ~/.local/share/berth ;
.B BERTH_HOME
says otherwise
.TP
.I /usr/share/doc/berth/docs
what Berth's messages call
.I docs/envfile.md
and the like
.SH SEE ALSO
.BR lxc (7),
.BR ssh (1)
`)
	return b.String()
}

func manCommands(b *strings.Builder, parent string, commands []*cli.Command) {
	for _, c := range commands {
		if c.Hidden {
			continue
		}
		name := parent + " " + c.Name
		if len(names(c.Subcommands)) > 0 { // the name of a group
			manCommands(b, name, c.Subcommands)
			continue
		}
		fmt.Fprintf(b, ".SS %s %s\n%s.\n", roff(name), roff(c.ArgsUsage), roff(sentence(c.Usage)))
		if c.Description != "" {
			fmt.Fprintf(b, ".PP\n%s\n", roff(c.Description))
		}
		manFlags(b, c.Flags)
	}
}

func manFlags(b *strings.Builder, flags []cli.Flag) {
	for _, f := range flags {
		var names []string
		for _, n := range f.Names() {
			dashes := "--"
			if len(n) == 1 {
				dashes = "-"
			}
			names = append(names, dashes+n)
		}
		usage, value := "", ""
		if d, ok := f.(cli.DocGenerationFlag); ok {
			usage = d.GetUsage()
			if parts := strings.SplitN(usage, "`", 3); len(parts) == 3 {
				value = " " + parts[1]
			} else if d.TakesValue() {
				value = " VALUE"
			}
			if text := d.GetDefaultText(); text != "" && d.TakesValue() {
				usage += " (default: " + text + ")"
			}
		}
		fmt.Fprintf(b, ".TP\n.B %s%s\n%s\n", roff(strings.Join(names, ", ")), roff(value), roff(strings.ReplaceAll(usage, "`", "")))
	}
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// roff escapes text: a backslash, dashes that are meant as such, and what would be
// a request at the start of a line.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
