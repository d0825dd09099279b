package archive

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// maxWindow is how much memory an archive may ask for; Write asks for less.
const maxWindow = 32 << 20

// ErrArchive means that a file is not what Write has written.
var ErrArchive = errors.New("it is no archive of a box that can be used")

// Done is what has been read.
type Done struct {
	Meta    Meta
	Size    int64 // bytes of all files
	Entries int64
}

// Extract makes the files of an archive in dir, an empty folder. When it fails,
// what is in dir is of no use.
func Extract(ctx context.Context, from io.Reader, dir *os.File, limits Limits) (Done, error) {
	packed := &counted{r: newUnsealer(from)}
	z, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return Done{}, err
	}
	defer z.Close()
	m := &meter{ctx: ctx, r: z, packed: packed, limits: limits.orDefaults()}
	r := &reader{ctx: ctx, tar: tar.NewReader(m), meter: m, sum: newSummer(), place: &place{root: dir}}
	err = r.all()
	if err == nil {
		err = drain(m)
	}
	if err == nil {
		err = r.place.finish()
	}
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case packed.err != nil:
		err = packed.err // the file could not be read
	case isDamage(err):
		err = fmt.Errorf("%w: it is damaged: %w", ErrArchive, err)
	}
	return r.done, err
}

// isDamage reports whether an error is of the compression, or of the tar in it.
func isDamage(err error) bool {
	var of *placeError
	return err != nil && !errors.Is(err, ErrArchive) && !errors.As(err, &of)
}

type reader struct {
	ctx   context.Context
	tar   *tar.Reader
	meter *meter
	sum   summer
	place *place
	done  Done
}

func (r *reader) all() error {
	if err := r.meta(); err != nil {
		return err
	}
	for {
		hdr, err := r.tar.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: its end is missing", ErrArchive)
		}
		if err != nil {
			return err
		}
		if hdr.Name == sumName {
			return r.end(hdr)
		}
		if err := r.entry(hdr); err != nil {
			return err
		}
	}
}

// meta reads the first entry.
func (r *reader) meta() error {
	hdr, err := r.tar.Next()
	if errors.Is(err, io.EOF) || err == nil && hdr.Name != metaName {
		return fmt.Errorf("%w: it does not begin with %s", ErrArchive, metaName)
	}
	if err != nil {
		return err
	}
	text, err := r.text(hdr)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &r.done.Meta); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrArchive, metaName, err)
	}
	if f := r.done.Meta.Format; f != Format {
		return fmt.Errorf("%w: it has the format %d, and this Berth knows %d: update Berth", ErrArchive, f, Format)
	}
	content := sha256.Sum256(text)
	r.sum.add(hdr, content[:])
	return nil
}

// text reads a small entry of our own.
func (r *reader) text(hdr *tar.Header) ([]byte, error) {
	const most = 64 << 10
	if hdr.Typeflag != tar.TypeReg || hdr.Size > most || checkEntry(hdr) != nil {
		return nil, fmt.Errorf("%w: %s is not what Berth writes", ErrArchive, hdr.Name)
	}
	return io.ReadAll(r.tar)
}

func (r *reader) entry(hdr *tar.Header) error {
	r.done.Entries++
	rel, err := inTree(hdr.Name)
	if err == nil {
		err = checkEntry(hdr)
	}
	if err != nil {
		return fmt.Errorf("%w: %q: %w", ErrArchive, short(hdr.Name), err)
	}
	if r.done.Entries > r.meter.limits.Entries {
		return limitError("entries", fmt.Sprint(r.meter.limits.Entries), "--max-entries")
	}
	if hdr.Size > r.meter.limits.Size-r.done.Size {
		return limitError("bytes", fmt.Sprint(r.meter.limits.Size), "--max-size")
	}
	r.done.Size += hdr.Size
	content := sha256.New()
	if err := r.place.put(rel, hdr, io.TeeReader(r.tar, content)); err != nil {
		return err
	}
	var sum []byte
	if hdr.Typeflag == tar.TypeReg {
		sum = content.Sum(nil)
	}
	r.sum.add(hdr, sum)
	return r.ctx.Err()
}

// end compares the sum, and makes sure that nothing follows.
func (r *reader) end(hdr *tar.Header) error {
	text, err := r.text(hdr)
	if err != nil {
		return err
	}
	if string(text) != r.sum.text() {
		return fmt.Errorf("%w: it is damaged: its files are not those that were packed", ErrArchive)
	}
	if !r.place.begun {
		return fmt.Errorf("%w: it has no files", ErrArchive)
	}
	if _, err := r.tar.Next(); !errors.Is(err, io.EOF) {
		return errors.Join(fmt.Errorf("%w: something follows its end", ErrArchive), err)
	}
	return nil
}

// drain reads the rest, which is nothing but the tar's padding: at its end the
// compression has checked everything.
func drain(r io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if strings.Trim(string(buf[:n]), "\x00") != "" {
			return fmt.Errorf("%w: something follows its end", ErrArchive)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// short is enough of a name for a message.
func short(name string) string {
	const enough = 200
	if len(name) > enough {
		return name[:enough] + "..."
	}
	return name
}
