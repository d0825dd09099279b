package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// takeTurn keeps other runs of the same test on this machine waiting until this
// one has ended, since tests name the ports and subnets that they use. One that
// was killed has left its boxes, and with them its ports: they are destroyed
// before this one begins. work is the folder of this run, with its Envfiles and
// its data, and vars its environment.
func takeTurn(t *testing.T, test, work string, vars []string) (end func(), err error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "berth-test-"+test+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, err
	}
	before, err := killedRun(f)
	if err != nil {
		return nil, err
	}
	if before != "" {
		t.Logf("an earlier run of %s was killed: destroying what it left in %s", test, before)
		destroyAll(t, before, append(slices.Clone(vars), "BERTH_HOME="+filepath.Join(before, "data")))
	}
	if err := f.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := f.WriteAt([]byte(work), 0); err != nil {
		return nil, err
	}
	return func() {
		if err := f.Truncate(0); err != nil {
			t.Error(err)
		}
		f.Close()
	}, nil
}

// killedRun returns the folder of a run that did not end its turn; empty when
// there is none. The file is in a folder of everybody's, and what it names is
// read as who runs the tests.
func killedRun(f *os.File) (string, error) {
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	if owner := st.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		return "", fmt.Errorf("%s belongs to user %d: remove it", f.Name(), owner)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		return "", err
	}
	dir := strings.TrimSpace(string(b))
	if _, err := os.Stat(filepath.Join(dir, "data")); dir == "" || err != nil {
		return "", nil
	}
	return dir, nil
}
