package host

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// tailLines and lineBytes bound what is kept of a plugin's output.
const (
	tailLines = 20
	lineBytes = 2048
)

// output takes what a plugin prints on standard error: into the debug log, line
// by line, and the last lines for errors.
type output struct {
	log *slog.Logger

	mu     sync.Mutex
	lines  []string
	frozen bool // the lines are the beginning of a panic
}

// readAll reads r to its end, or until it cannot be read any more.
func (o *output) readAll(r io.Reader) {
	in := bufio.NewReaderSize(r, lineBytes)
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			o.add(strings.ToValidUTF8(strings.TrimRight(string(line), "\r\n"), "�"))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

func (o *output) add(line string) {
	o.log.Debug(line)
	o.mu.Lock()
	defer o.mu.Unlock()
	// Of a Go panic the beginning counts and not the end of the stacks.
	if !o.frozen && (strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")) {
		o.frozen, o.lines = true, nil
	}
	if len(o.lines) == tailLines {
		if o.frozen {
			return
		}
		o.lines = o.lines[1:]
	}
	o.lines = append(o.lines, line)
}

// tail returns the last lines, or the beginning of a panic.
func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimSpace(strings.Join(o.lines, "\n"))
}

// firstOutput keeps the beginning of standard output, where the handshake is.
type firstOutput struct {
	mu  sync.Mutex
	buf []byte
}

func (f *firstOutput) add(b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.buf = append(f.buf, b[:min(len(b), lineBytes-len(f.buf))]...)
}

// line returns the first line, or what there is of it.
func (f *firstOutput) line() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	line, _, _ := strings.Cut(string(f.buf), "\n")
	return strings.ToValidUTF8(strings.TrimSpace(line), "�")
}
