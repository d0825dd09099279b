package testenv

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Deep makes folders in folders below dir, each named "d", until no path leads to
// the innermost.
func Deep(t testing.TB, dir string, levels int) {
	t.Helper()
	d, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	for range levels {
		if err == nil {
			err = unix.Mkdirat(d, "d", 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		next, openErr := unix.Openat(d, "d", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		unix.Close(d)
		d, err = next, openErr
	}
	unix.Close(d)
}
