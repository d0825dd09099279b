package guest

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
)

// A box is not trusted: what it says is not kept without a limit.

// maxListing bounds the list of one folder, in bytes of the answer: some 300,000
// files.
const maxListing = 64 << 20

// A meter tells when more has been read than there may be.
type meter struct {
	r     io.Reader
	limit atomic.Pointer[limit] // nil: any amount
}

type limit struct {
	left     atomic.Int64
	exceeded func()
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	if l := m.limit.Load(); l != nil && l.left.Add(-int64(n)) < 0 {
		l.exceeded()
	}
	return n, err
}

// list lists a folder of the box. sftp keeps all of the list, so the answer is
// limited. Nothing else is asked meanwhile.
func (d *download) list(ctx context.Context, src string) ([]fs.FileInfo, error) {
	listing, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &limit{exceeded: cancel}
	l.left.Store(maxListing)
	d.answer.limit.Store(l)
	defer d.answer.limit.Store(nil)
	entries, err := d.ReadDirContext(listing, src)
	if l.left.Load() < 0 && ctx.Err() == nil {
		return nil, fmt.Errorf("%s in the box lists more than %d MiB of files, which is more than berth copies of one folder: pack them in the box (tar), and copy the archive", src, maxListing>>20)
	}
	return entries, d.explain(ctx, src, err)
}
