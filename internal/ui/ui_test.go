package ui

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	const hostile = "a\x1b[31mb\x1b]0;title\x07c\x1b[2J\r\n\td\x1b"
	if got := Printable(hostile, false); got != "abc\n\td" {
		t.Errorf("got %q", got)
	}
	if got := Printable(hostile, true); got != "a\x1b[31mbc\n\td\x1b[0m" {
		t.Errorf("with colours: got %q", got)
	}
}

// TestLive replays what a terminal of three boxes gets on a small screen.
func TestLive(t *testing.T) {
	var out bytes.Buffer
	u := &UI{Err: &out, Terminal: true, Width: 24}
	web, db := u.Box("web"), u.Box("db")
	web.Stage("starting")
	db.Stage("waiting for something that takes long")
	if got := screen(t, out.String()); got != "web: starting\ndb: waiting for someth…" {
		t.Errorf("got %q", got)
	}
	db.Line(1, []byte("output that is as long as it is"))
	web.Progress("booting")
	if got := screen(t, out.String()); got != "db | output that is as long as it is\nweb: booting\ndb: waiting for someth…" {
		t.Errorf("a line of output: got %q", got)
	}
	db.Say("one\ntwo")
	u.Println("between")
	if got := screen(t, out.String()); got != "db | output that is as long as it is\ndb: one\ndb: two\nbetween\nweb: booting" {
		t.Errorf("a line that replaces: got %q", got)
	}
	web.Done()
	u.EndLive()
	if got := screen(t, out.String()); got != "db | output that is as long as it is\ndb: one\ndb: two\nbetween\n" {
		t.Errorf("at the end: got %q", got)
	}
}

// screen does what a terminal does with the few commands that are used.
func screen(t *testing.T, s string) string {
	t.Helper()
	lines, row, col := []string{""}, 0, 0
	for s != "" {
		switch {
		case strings.HasPrefix(s, "\x1b[A"):
			row, s = row-1, s[3:]
		case strings.HasPrefix(s, "\x1b[J"):
			lines[row] = string([]rune(lines[row])[:col])
			lines, s = lines[:row+1], s[3:]
		case s[0] == '\r':
			col, s = 0, s[1:]
		case s[0] == '\n':
			if row, col, s = row+1, 0, s[1:]; row == len(lines) {
				lines = append(lines, "")
			}
		default:
			r, n := utf8.DecodeRuneInString(s)
			lines[row] = string([]rune(lines[row])[:col]) + string(r)
			col, s = col+1, s[n:]
		}
	}
	return strings.Join(lines, "\n")
}

func TestLiveOverflow(t *testing.T) {
	a := area{}
	for i := range 9 {
		a.set(fmt.Sprint(i), fmt.Sprint("box ", i))
	}
	if got := a.draw(80, 8); got != "box 0\r\nbox 1\r\nbox 2\r\n... 6 more" || a.drawn != 4 {
		t.Errorf("got %q on %d lines", got, a.drawn)
	}
}

func TestTruncate(t *testing.T) {
	for in, want := range map[string]string{
		"short":                      "short",
		"12345678":                   "12345678",
		"123456789":                  "1234567…",
		"\x1b[32m12345678\x1b[0m":    "\x1b[32m12345678\x1b[0m",
		"\x1b[32m123456789\x1b[0m":   "\x1b[32m1234567…\x1b[0m",
		"日本語日本語":                     "日本語…",
		"\xff\xfe\xff\xfe\xff\xfe12": "\xff\xfe\xff…",
	} {
		if got := truncate(in, 8); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// Without a terminal every line is a whole one, and what is for a moment only
// is left out.
func TestPlain(t *testing.T) {
	var out bytes.Buffer
	u := &UI{Err: &out}
	b := u.Box("web")
	b.Stage("starting")
	b.Progress("building 10%")
	b.Say("done")
	b.Done()
	if got := out.String(); got != "web: building 10%\nweb: done\n" {
		t.Errorf("got %q", got)
	}
}
