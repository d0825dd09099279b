package ui

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
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
	u := &UI{Err: &out, Redraw: true, Width: 24}
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

const evil = "hi \x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b[31m\u009bmbye\r"

// What an Envfile or a box says does not command the terminal, however it is said.
func TestSafe(t *testing.T) {
	for name, say := range map[string]func(*UI){
		"Say":     func(u *UI) { u.Box("web").Say("%s\nmore", evil) },
		"Warn":    func(u *UI) { u.Box("web").Warn("%s\nmore", evil) },
		"Report":  func(u *UI) { u.Box("web").Report(evil + "\nmore") },
		"Println": func(u *UI) { u.Println(evil + "\nmore") },
		"UI.Warn": func(u *UI) { u.Warn(evil + "\nmore") },
		"Fail":    func(u *UI) { u.Fail(evil + "\nmore") },
	} {
		var out, coloured bytes.Buffer
		say(&UI{Err: &out})
		if got := out.String(); !strings.Contains(got, "hi mbye\n") || !strings.HasSuffix(got, "more\n") || strings.ContainsAny(got, "\x1b\x07\r\u009b") {
			t.Errorf("%s: got %q", name, got)
		}
		say(&UI{Err: &coloured, Color: true})
		// Our own colours stay, and are the only ones.
		got := coloured.String()
		for text, sgr := range map[string]string{"web:": "", "warning: ": Yellow, "Warning: ": Yellow, "Error: ": Red} {
			if sgr != "" && strings.Contains(got, text) && !strings.Contains(got, "\x1b["+sgr+"m"+text+"\x1b[0m") {
				t.Errorf("%s: our colour is gone: %q", name, got)
			}
		}
		if strings.Contains(got, "\x1b[31m\u009b") || strings.Contains(got, "\x1b]") || strings.Contains(got, "\x1b[2J") {
			t.Errorf("%s with colours: got %q", name, got)
		}
	}
	if got := OneLine(" a\tb\n" + evil + " "); got != "a b hi mbye" {
		t.Errorf("OneLine: got %q", got)
	}
}

// A dumb terminal gets lines, and no movement of the cursor.
func TestDumbTerminal(t *testing.T) {
	var out bytes.Buffer
	u := &UI{Err: &out, Terminal: true, Width: 80}
	b := u.Box("web")
	b.Stage("starting")
	b.Progress("building")
	u.Println("between")
	b.Say("done")
	u.EndLive()
	if got := out.String(); got != "web: building\nbetween\nweb: done\n" {
		t.Errorf("got %q", got)
	}
}

// TestTerminals: what TERM and NO_COLOR say of a terminal.
func TestTerminals(t *testing.T) {
	for _, c := range []struct {
		term, noColor string
		redraw, color bool
	}{
		{"xterm", "", true, true},
		{"xterm", "1", true, false},
		{"dumb", "", false, false},
	} {
		t.Setenv("TERM", c.term)
		t.Setenv("NO_COLOR", c.noColor)
		u := New(nil, nil, terminal(t))
		if !u.Terminal || u.Redraw != c.redraw || u.Color != c.color {
			t.Errorf("%+v: got terminal %v, redraw %v, colour %v", c, u.Terminal, u.Redraw, u.Color)
		}
	}
}

// terminal returns a pseudo-terminal.
func terminal(t *testing.T) *os.File {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal("open a terminal:", err)
	}
	t.Cleanup(func() { ptmx.Close() })
	return ptmx
}
