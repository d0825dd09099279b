package provisioner

import (
	"bytes"
	"errors"
)

// MaxAnswer is how many bytes an Answer takes.
const MaxAnswer = 64 << 10

// ErrLongAnswer says that a guest has said more.
var ErrLongAnswer = errors.New("the box answers with more than 64 KiB, which is no sense")

// Answer is for the output of a command of a guest that says little. The guest is
// not trusted: to write more than MaxAnswer bytes is ErrLongAnswer, which Run returns. The zero
// value is ready to use.
type Answer struct{ buf bytes.Buffer }

// Write implements [io.Writer].
func (a *Answer) Write(b []byte) (int, error) {
	if a.buf.Len()+len(b) > MaxAnswer {
		return 0, ErrLongAnswer
	}
	return a.buf.Write(b)
}

// String returns what was said so far.
func (a *Answer) String() string { return a.buf.String() }
