package cgroup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// stillTimeout bounds the wait for a box to stand still: a process that sleeps
// in the kernel, on a network filesystem say, is frozen when it wakes up.
const stillTimeout = 10 * time.Second

// Freezer is how the kernel freezes a cgroup: freezer.state in v1, cgroup.freeze
// in v2 (cgroup-v1/freezer-subsystem.rst, cgroup-v2.rst).
type Freezer struct {
	File      string // takes what follows
	Halt, Run string
	state     string // the file that tells
	frozen    string // the line in it that says so
}

// Freezer returns how the box is frozen.
func (b Box) Freezer() (Freezer, error) {
	if dir := b.dirs["freezer"]; dir != "" {
		file := filepath.Join(dir, "freezer.state")
		return Freezer{file, "FROZEN", "THAWED", file, "FROZEN"}, nil
	}
	for controller, dir := range b.dirs {
		if b.on[controller].v2 {
			return Freezer{filepath.Join(dir, "cgroup.freeze"), "1", "0", filepath.Join(dir, "cgroup.events"), "frozen 1"}, nil
		}
	}
	return Freezer{}, errors.New("this host has no freezer among its cgroups")
}

// Stop freezes the box, and returns once it is frozen.
func (f Freezer) Stop(ctx context.Context) error {
	if err := os.WriteFile(f.File, []byte(f.Halt), 0); err != nil {
		return err
	}
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(f.state)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			if strings.TrimSpace(line) == f.frozen {
				return nil
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Since(begin) > stillTimeout {
			return fmt.Errorf("it does not come to rest within %s", stillTimeout)
		}
	}
}

// IsFrozen reads the freezer of a cgroup, in its v1 and v2 forms.
func IsFrozen(dir string) bool {
	if b, err := os.ReadFile(filepath.Join(dir, "freezer.state")); err == nil {
		return strings.TrimSpace(string(b)) == "FROZEN"
	}
	b, _ := os.ReadFile(filepath.Join(dir, "cgroup.events"))
	return bytes.Contains(b, []byte("frozen 1"))
}

// Thaw lets everything in a cgroup and those below it run, also what a box's root
// has frozen in a cgroup of its own: in v1 what is frozen does not even end when it
// is killed. In v2 it does, and there is nothing to do.
func Thaw(dir string) {
	if _, err := os.Stat(filepath.Join(dir, "freezer.state")); err != nil {
		return
	}
	_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			_ = os.WriteFile(filepath.Join(path, "freezer.state"), []byte("THAWED"), 0) // else it went meanwhile
		}
		return nil
	})
}
