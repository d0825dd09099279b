package ui

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// Box is what one box says and is said of it: every line begins with its name.
type Box struct {
	u    *UI
	name string
}

// Box returns the voice of a box.
func (u *UI) Box(name string) *Box { return &Box{u: u, name: name} }

// boxColours are told apart on dark and light backgrounds.
var boxColours = []string{"36", "35", "34", "32", "33", "96", "95", "94"}

func (b *Box) prefix(mark string) string {
	h := fnv.New32a()
	h.Write([]byte(b.name))
	return b.u.Paint(boxColours[h.Sum32()%uint32(len(boxColours))], b.name+mark) + " "
}

// Say tells what is being done or has been done.
func (b *Box) Say(format string, args ...any) {
	b.say("", fmt.Sprintf(format, args...))
}

// Warn tells what the user should know.
func (b *Box) Warn(format string, args ...any) {
	b.say(b.u.Paint(Yellow, "warning: "), fmt.Sprintf(format, args...))
}

// say writes text, each line of it with the box's name. The mark is our own; the
// text may come from an Envfile or a box.
func (b *Box) say(mark, text string) {
	prefix := b.prefix(":")
	b.u.replace(b.name, prefix+mark+strings.ReplaceAll(Printable(text, false), "\n", "\n"+prefix))
}

// Progress tells what is being done until something else is.
func (b *Box) Progress(text string) {
	b.u.Live(b.name, b.prefix(":")+strings.ReplaceAll(Printable(text, false), "\n", " "))
}

// Stage tells of a moment that passes quickly: worth a terminal's live line, not
// a line in a log.
func (b *Box) Stage(text string) {
	if b.u.Redraw {
		b.Progress(text)
	}
}

// Done tells that nothing is being done any more.
func (b *Box) Done() { b.u.Live(b.name, "") }

// Line shows a line of a command's output in the box.
func (b *Box) Line(_ int, line []byte) {
	b.u.writeln(b.prefix(" |") + Printable(string(line), b.u.Color))
}

// Report shows what a provisioner tells.
func (b *Box) Report(text string) { b.Say("%s", text) }
