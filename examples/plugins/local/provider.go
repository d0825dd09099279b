package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/berth-dev/berth/provider"
)

// local is the provider. Everything it knows is in the boxes' folders, since
// each command of berth has a new process.
type local struct {
	FailStart bool   `hcl:"fail_start,optional"`
	Silent    bool   `hcl:"silent,optional"`
	Crash     string `hcl:"crash,optional"`
}

func (l *local) Validate() error {
	if l.Crash != "" && l.Crash != "create" && l.Crash != "start" {
		return &provider.ArgError{Arg: "crash", Err: errors.New(`must be "create" or "start"`)}
	}
	return nil
}

func (l *local) Check(context.Context) error {
	if provider.DataDir() == "" {
		return errors.New("BERTH_PLUGIN_DATA is not set; berth sets it")
	}
	if _, err := os.Stat("/bin/sh"); err != nil {
		return fmt.Errorf("boxes run their commands with /bin/sh: %w", err)
	}
	return nil
}

func (l *local) Create(ctx context.Context, spec provider.Spec, report provider.Report) error {
	b := openBox(spec.ID)
	if b.made() {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkSpec(spec); err != nil {
		return err
	}
	if err := l.FetchImage(ctx, spec.Image, report); err != nil {
		return err
	}
	report.Step("make folder " + b.dir)
	if err := b.reset(); err != nil {
		return err
	}
	l.crashIn("create")
	return b.make()
}

// checkSpec refuses what the provider cannot do. Folders need nothing: its boxes
// have the host's files as they are.
func checkSpec(spec provider.Spec) error {
	if spec.Image == "none" {
		return &provider.ArgError{Arg: "box.image", Err: provider.ErrImage}
	}
	r := spec.Resources
	for key, set := range map[string]bool{
		"cpus": r.CPUs != 0, "cpu_weight": r.CPUWeight != 0, "cpuset": r.CPUSet != "", "memory": r.Memory != 0,
		"swap": r.Swap != nil, "pids": r.PIDs != 0, "io": r.IO != provider.IO{},
	} {
		if set {
			return &provider.ArgError{Arg: "box.resources." + key, Err: errors.New("the local provider cannot limit anything")}
		}
	}
	return nil
}

func (l *local) Start(ctx context.Context, spec provider.Spec, report provider.Report) error {
	b := openBox(spec.ID)
	lock, err := b.tryLock()
	if errors.Is(err, errRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	// The daemon inherits the lock and holds it as long as it lives; closing
	// our descriptor does not release it.
	defer lock.Close()
	if err := checkSpec(spec); err != nil {
		return err
	}
	l.crashIn("start")
	if l.FailStart {
		return errors.New("fail_start is set")
	}
	report.Step("start the box's SSH server")
	return b.start(ctx, lock, spec, l.Silent)
}

func (l *local) Stop(ctx context.Context, id string, grace time.Duration, report provider.Report) error {
	return openBox(id).stop(ctx, grace)
}

func (l *local) Destroy(ctx context.Context, id string, report provider.Report) error {
	b := openBox(id)
	if !b.exists() {
		return provider.ErrNotFound
	}
	if b.made() {
		if err := b.stop(ctx, 0); err != nil {
			return err
		}
	}
	return os.RemoveAll(b.dir)
}

func (l *local) Inspect(_ context.Context, id string) (provider.Box, error) {
	b := openBox(id)
	if !b.exists() {
		return provider.Box{}, provider.ErrNotFound
	}
	box := provider.Box{ID: id, State: provider.Stopped}
	if !b.made() {
		return box, nil // half made: Create or Destroy
	}
	r, err := b.read()
	if err != nil {
		return provider.Box{}, err
	}
	box.SSHAddr = r.Addr
	lock, err := b.tryLock()
	switch {
	case err == nil:
		lock.Close()
	case errors.Is(err, errRunning):
		box.State, box.Started = provider.Running, r.Started
	default:
		return provider.Box{}, err
	}
	return box, nil
}

func (l *local) Logs(_ context.Context, id string) ([]provider.Log, error) {
	b := openBox(id)
	if !b.exists() {
		return nil, provider.ErrNotFound
	}
	text, err := os.ReadFile(b.path("daemon.log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return []provider.Log{{
		Name: "daemon", Path: b.path("daemon.log"), Tail: string(text[max(0, len(text)-4096):]),
	}}, nil
}

// crashIn ends the process if the arguments ask for it.
func (l *local) crashIn(call string) {
	if l.Crash == call {
		fmt.Fprintf(os.Stderr, "crash = %q is set\n", call)
		os.Exit(3)
	}
}
