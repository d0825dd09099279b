package ui

import (
	"regexp"
	"strings"
)

var (
	escapes = regexp.MustCompile(`\x1b(\[[0-9;:?<=>]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.?)`)
	colours = regexp.MustCompile(`^\x1b\[[0-9;:]*m$`)
)

// Printable takes out of s what would command the user's terminal. Colours stay
// where keepColours is set.
func Printable(s string, keepColours bool) string {
	coloured := false
	s = escapes.ReplaceAllStringFunc(s, func(e string) string {
		if keepColours && colours.MatchString(e) {
			coloured = true
			return e
		}
		return ""
	})
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && !(r == '\x1b' && coloured) || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, s)
	if coloured {
		s += "\x1b[0m" // a line must not colour the next
	}
	return s
}

// OneLine is Printable text in one line, for a place in a line or a table.
func OneLine(s string) string {
	return spaces.Replace(strings.TrimSpace(Printable(s, false)))
}

var spaces = strings.NewReplacer("\n", " ", "\t", " ")
