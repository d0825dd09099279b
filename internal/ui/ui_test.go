package ui

import "testing"

func TestPrintable(t *testing.T) {
	const hostile = "a\x1b[31mb\x1b]0;title\x07c\x1b[2J\r\n\td\x1b"
	if got := Printable(hostile, false); got != "abc\n\td" {
		t.Errorf("got %q", got)
	}
	if got := Printable(hostile, true); got != "a\x1b[31mbc\n\td\x1b[0m" {
		t.Errorf("with colours: got %q", got)
	}
}
