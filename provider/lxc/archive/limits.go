package archive

import (
	"context"
	"fmt"
	"io"
)

// Limits are what an archive may hold. 0 is a default.
type Limits struct {
	Size    int64 // bytes of its files; 64 GiB
	Entries int64 // 2 million
	Ratio   int64 // how many times larger than packed it may be; 200
}

// ratioFrom is the size from which on the ratio counts: little of anything does
// no harm.
const ratioFrom = 256 << 20

func (l Limits) orDefaults() Limits {
	if l.Size <= 0 {
		l.Size = 64 << 30
	}
	if l.Entries <= 0 {
		l.Entries = 2_000_000
	}
	if l.Ratio <= 0 {
		l.Ratio = 200
	}
	return l
}

func limitError(what, most, flag string) error {
	return fmt.Errorf("%w: it holds more than %s %s; if it is meant to, %s allows more", ErrArchive, most, what, flag)
}

// counted counts what is read, and remembers what went wrong.
type counted struct {
	r   io.Reader
	n   int64
	err error // other than the end
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// meter is what comes out of the compression, as long as that is within the
// limits. Each entry may have as much beside its content as names and attributes
// take.
type meter struct {
	ctx    context.Context
	r      io.Reader
	packed *counted
	limits Limits
	n      int64
}

func (m *meter) Read(b []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	const beside = 8 << 10
	n, err := m.r.Read(b)
	m.n += int64(n)
	switch {
	case m.n/beside > m.limits.Size/beside+m.limits.Entries:
		return n, limitError("bytes", fmt.Sprint(m.limits.Size), "--max-size")
	case m.n > ratioFrom && m.n/m.limits.Ratio > m.packed.n:
		return n, fmt.Errorf("%w: it is more than %d times larger than it is packed; if it is meant to be, --max-ratio allows more",
			ErrArchive, m.limits.Ratio)
	}
	return n, err
}
