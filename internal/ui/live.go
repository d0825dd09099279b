package ui

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// area is the live lines at the bottom of a terminal, drawn over in place: one
// for each thing that is going on.
type area struct {
	lines []liveLine
	drawn int // how many lines of the terminal it takes now
}

type liveLine struct{ key, text string }

// set gives the line of key another text; without one it goes.
func (a *area) set(key, text string) {
	for i, l := range a.lines {
		if l.key != key {
			continue
		}
		if text == "" {
			a.lines = append(a.lines[:i], a.lines[i+1:]...)
		} else {
			a.lines[i].text = text
		}
		return
	}
	if text != "" {
		a.lines = append(a.lines, liveLine{key, text})
	}
}

// erase returns what clears the area and leaves the cursor where it began: to
// column one, up, erase to the end of the screen (ECMA-48).
func (a *area) erase() string {
	if a.drawn == 0 {
		return ""
	}
	up := strings.Repeat("\x1b[A", a.drawn-1)
	a.drawn = 0
	return "\r" + up + "\x1b[J"
}

// draw returns what shows the area on a terminal of that size, 0 for not known.
// A line that wrapped or scrolled away could not be drawn over, so there are
// fewer and shorter ones than fit.
func (a *area) draw(width, height int) string {
	lines := a.lines
	rest := 0
	if most := max(1, height/2); height > 0 && len(lines) > most {
		rest = len(lines) - most + 1
		lines = lines[:most-1]
	}
	var shown []string
	for _, l := range lines {
		shown = append(shown, truncate(l.text, width-1))
	}
	if rest > 0 {
		shown = append(shown, truncate(fmt.Sprintf("... %d more", rest), width-1))
	}
	a.drawn = len(shown)
	return strings.Join(shown, "\r\n")
}

var sgr = regexp.MustCompile(`^\x1b\[[0-9;:]*m`)

// truncate shortens text to that many columns, 0 or less for any number. Colours
// take none.
func truncate(text string, columns int) string {
	if columns <= 0 || width(text) <= columns {
		return text
	}
	var out strings.Builder
	used, coloured := 0, false
	for text != "" {
		if code := sgr.FindString(text); code != "" {
			out.WriteString(code)
			text, coloured = text[len(code):], true
			continue
		}
		r, n := utf8.DecodeRuneInString(text)
		if used += columnsOf(r); used > columns-1 {
			break
		}
		out.WriteString(text[:n])
		text = text[n:]
	}
	out.WriteString("…")
	if coloured {
		out.WriteString("\x1b[0m")
	}
	return out.String()
}

func width(text string) int {
	n := 0
	for text != "" {
		if code := sgr.FindString(text); code != "" {
			text = text[len(code):]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		n += columnsOf(r)
		text = text[size:]
	}
	return n
}

// columnsOf returns how many columns a character takes at most. Those from
// Hangul Jamo on may be wide (Unicode Standard Annex 11).
func columnsOf(r rune) int {
	if r >= 0x1100 && (r < 0x2000 || r > 0x2bff) {
		return 2
	}
	return 1
}

// size returns the terminal's size now: its window may have changed.
func (u *UI) size() (width, height int) {
	if u.fd != nil {
		if w, h, err := term.GetSize(*u.fd); err == nil {
			return w, h
		}
	}
	return u.Width, 0
}

// print writes a whole line above the live area; empty text only draws the area
// anew. It is one write, so that nothing flickers.
func (u *UI) print(text string) {
	out := u.live.erase() + text
	if u.Redraw && len(u.live.lines) > 0 {
		out += u.live.draw(u.size())
	}
	if out != "" {
		fmt.Fprint(u.Err, out)
	}
}
