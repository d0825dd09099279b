package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
)

// The seal is the end of the file: a frame that zstd skips (RFC 8878, "skippable
// frames"), with the sha256 of all that is before it. The compression has bits
// that say nothing; with it not one of them can be another.
const (
	sealMagic = 0x184D2A5B
	sealSize  = 8 + sha256.Size
)

// sealer hands on what is written and adds it up.
type sealer struct {
	w io.Writer
	h hash.Hash
}

func newSealer(w io.Writer) *sealer { return &sealer{w, sha256.New()} }

func (s *sealer) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.h.Write(b[:n])
	return n, err
}

// seal writes the seal.
func (s *sealer) seal() error {
	_, err := s.w.Write(sealOf(s.h))
	return err
}

func sealOf(h hash.Hash) []byte {
	b := binary.LittleEndian.AppendUint32(nil, sealMagic)
	b = binary.LittleEndian.AppendUint32(b, sha256.Size)
	return h.Sum(b)
}

// unsealer reads what is before the seal, and at its end fails if the seal is
// another one.
type unsealer struct {
	r    io.Reader
	h    hash.Hash
	held []byte // read, and not handed on: it may be the seal
	end  error  // of r
}

func newUnsealer(r io.Reader) *unsealer { return &unsealer{r: r, h: sha256.New()} }

func (u *unsealer) Read(b []byte) (int, error) {
	for len(u.held) <= sealSize && u.end == nil {
		chunk := make([]byte, 64<<10)
		n, err := u.r.Read(chunk)
		u.held, u.end = append(u.held, chunk[:n]...), err
	}
	if len(u.held) > sealSize {
		n := copy(b, u.held[:len(u.held)-sealSize])
		u.h.Write(b[:n])
		u.held = u.held[n:]
		return n, nil
	}
	if u.end != io.EOF {
		return 0, u.end
	}
	if !bytes.Equal(u.held, sealOf(u.h)) {
		return 0, fmt.Errorf("%w: it is damaged: its end does not agree with the rest", ErrArchive)
	}
	return 0, io.EOF
}
