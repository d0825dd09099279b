// Package ui shows people what Berth does: answers on standard output, progress
// and problems on standard error. It decides once what a stream can do: lines
// that draw over themselves and colour are for terminals only. What is worth
// saying, and when, is the caller's to know.
package ui

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// UI is where a command talks to its user. It can be used by several goroutines.
type UI struct {
	In  *os.File  // nil: nobody can be asked
	Out io.Writer // the answer
	Err io.Writer // progress and problems

	// Terminal says that Err is one, and Width how wide it is. Redraw says that
	// lines can be drawn over on it.
	Terminal bool
	Redraw   bool
	Width    int
	Color    bool

	fd   *int // of the terminal; nil: Err is none
	mu   sync.Mutex
	live area
}

// New returns the UI of a process. Colour follows the terminal, NO_COLOR
// (no-color.org) and TERM; a dumb terminal, such as an editor's, moves no cursor.
func New(in, out, errs *os.File) *UI {
	u := &UI{In: in, Out: out, Err: errs, Terminal: term.IsTerminal(int(errs.Fd()))}
	if u.Terminal {
		fd := int(errs.Fd())
		u.fd = &fd
		u.Width, _, _ = term.GetSize(fd)
		u.Redraw = os.Getenv("TERM") != "dumb"
		u.Color = u.Redraw && os.Getenv("NO_COLOR") == ""
	}
	return u
}

// Interactive reports whether a person can be asked.
func (u *UI) Interactive() bool {
	return u.In != nil && u.Terminal && term.IsTerminal(int(u.In.Fd()))
}

// Println writes text to the user. What an Envfile or a box has put into it does
// not command the terminal; the same goes for the other ways to say something.
func (u *UI) Println(text string) { u.writeln(Printable(text, false)) }

// Warn writes a warning to the user.
func (u *UI) Warn(text string) {
	u.writeln(u.Paint(Yellow, "Warning: ") + Printable(text, false))
}

// Fail writes an error to the user.
func (u *UI) Fail(text string) {
	u.writeln(u.Paint(Red, "Error: ") + Printable(text, false))
}

// writeln writes text as it stands.
func (u *UI) writeln(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.print(text + "\n")
}

// Live shows a line that the next one of the same key replaces, at the bottom of
// the terminal; without a text it goes. Where that cannot be done it is a line
// like any other.
func (u *UI) Live(key, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.Redraw {
		if text != "" {
			fmt.Fprintln(u.Err, text)
		}
		return
	}
	u.live.set(key, text)
	u.print("")
}

// replace writes a line to the user instead of the live line of that key.
func (u *UI) replace(key, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.live.set(key, "")
	u.print(text + "\n")
}

// EndLive removes the live lines, before something else takes the terminal.
func (u *UI) EndLive() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.clear()
}

func (u *UI) clear() {
	u.live.lines = nil
	u.print("")
}

// The colours, as SGR parameters (ECMA-48).
const (
	Red    = "31;1"
	Green  = "32"
	Yellow = "33"
	Faint  = "2"
)

// Paint colours text where colour is wanted.
func (u *UI) Paint(sgr, text string) string {
	if !u.Color {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// Ask puts a yes-or-no question, and takes no for anything but yes.
func (u *UI) Ask(question string) (bool, error) {
	u.EndLive()
	fmt.Fprint(u.Err, Printable(question, false)+" [y/N] ")
	// Byte by byte, so that nothing meant for someone else is read.
	var answer strings.Builder
	for b := make([]byte, 1); ; {
		n, err := u.In.Read(b)
		if n == 0 || b[0] == '\n' {
			if err != nil && err != io.EOF {
				return false, err
			}
			break
		}
		answer.WriteByte(b[0])
	}
	a := strings.ToLower(strings.TrimSpace(answer.String()))
	return a == "y" || a == "yes", nil
}
