package guest

import (
	"io/fs"
	"path/filepath"
	"sync/atomic"
)

// progress sums up what is copied for a listener that wants totals.
func progress(tell func(done, total int64), total int64) func(n int64) {
	var done atomic.Int64
	return func(n int64) { tell(done.Add(n), total) }
}

// sizeOf returns the bytes in the files of a tree; what cannot be read counts
// nothing here, and is complained of when it is copied.
func sizeOf(top string) int64 {
	var sum int64
	_ = filepath.WalkDir(top, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum
}
