package guest

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Output is where the user sees what a box says. It is used by several
// goroutines at once.
type Output interface {
	// Line takes one line of output, without its end, of stream 1 (standard
	// output) or 2 (standard error). It must not keep line.
	Line(stream int, line []byte)
	// Report takes what a provisioner tells the user.
	Report(text string)
}

// maxLine bounds a line of output; a longer one comes in pieces.
const maxLine = 64 << 10

// A lineWriter breaks output into lines. Of a line that was drawn over with
// carriage returns, as progress bars do, it gives the last drawing.
type lineWriter struct {
	emit func(line []byte)
	buf  []byte
}

func (w *lineWriter) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			w.hold(b)
			break
		}
		if i > 0 {
			w.hold(b[:i])
		}
		w.emit(visible(w.buf))
		w.buf = w.buf[:0]
		b = b[i+1:]
	}
	return n, nil
}

// hold adds to the line that has no end yet.
func (w *lineWriter) hold(b []byte) {
	for len(b) > 0 {
		n := min(len(b), 2*maxLine-len(w.buf))
		w.buf = append(w.buf, b[:n]...)
		b = b[n:]
		if len(w.buf) > maxLine {
			w.shrink()
		}
	}
}

// shrink gets a line below the limit: what was drawn over goes first.
func (w *lineWriter) shrink() {
	end := len(bytes.TrimRight(w.buf, "\r"))
	if i := bytes.LastIndexByte(w.buf[:end], '\r'); i >= 0 {
		w.buf = append(w.buf[:0], w.buf[i+1:]...)
	}
	for len(w.buf) > maxLine {
		n := maxLine
		for n > maxLine-utf8.UTFMax && !utf8.RuneStart(w.buf[n]) {
			n--
		}
		w.emit(w.buf[:n])
		w.buf = append(w.buf[:0], w.buf[n:]...)
	}
}

// flush gives the last line if it has no end.
func (w *lineWriter) flush() {
	if len(w.buf) > 0 {
		w.emit(visible(w.buf))
		w.buf = nil
	}
}

// visible is what a terminal would show of a line in the end.
func visible(line []byte) []byte {
	line = bytes.TrimRight(line, "\r")
	return line[bytes.LastIndexByte(line, '\r')+1:]
}

// Limits of what an error keeps of the output before it.
const (
	tailBytes = 4 << 10
	tailLines = 20
)

// A tail keeps the end of what is written to it.
type tail struct{ buf []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.buf = append(t.buf, b[max(0, len(b)-tailBytes):]...)
	if cut := len(t.buf) - tailBytes; cut > 0 {
		t.buf = append(t.buf[:0], t.buf[cut:]...)
	}
	return len(b), nil
}

// String is the last lines, whole ones where there are several.
func (t *tail) String() string {
	lines := strings.Split(strings.TrimRight(strings.ToValidUTF8(string(t.buf), ""), "\r\n"), "\n")
	if len(t.buf) == tailBytes && len(lines) > 1 {
		lines = lines[1:] // most likely cut
	}
	for i := range lines {
		lines[i] = string(visible([]byte(lines[i])))
	}
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
