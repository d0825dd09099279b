package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
)

// start starts the daemon, which inherits the lock and the listening socket.
func (b box) start(ctx context.Context, lock *os.File, spec provider.Spec, silent bool) error {
	r, err := b.read()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", r.Addr)
	if errors.Is(err, unix.EADDRINUSE) {
		ln, err = net.Listen("tcp", "127.0.0.1:0") // the host forces a change
	}
	if err != nil {
		return err
	}
	defer ln.Close()
	r.Addr = ln.Addr().String()
	if err := b.writeTools(); err != nil {
		return err
	}

	ready, readyChild, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	inherited := []*os.File{lockFD - 3: lock, readyFD - 3: readyChild}
	if !silent {
		f, err := ln.(*net.TCPListener).File()
		if err != nil {
			readyChild.Close()
			return err
		}
		defer f.Close()
		inherited = append(inherited, f)
	}
	cmd, err := b.launch(spec, inherited)
	readyChild.Close()
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // the parent, while it lives, must not leave a zombie
	r.PID, r.Started = cmd.Process.Pid, time.Now()
	if err := errors.Join(b.write(r), waitReady(ctx, ready)); err != nil {
		_ = cmd.Process.Kill() // it may have gone by itself
		<-ended                // a lock still held would be taken for a running box
		return err
	}
	return nil
}

// launch starts the daemon in a session of its own, so that it outlives the
// plugin, whose process group berth kills at the end.
func (b box) launch(spec provider.Spec, inherited []*os.File) (*exec.Cmd, error) {
	log, err := os.OpenFile(b.path("daemon.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	config, err := json.Marshal(daemonConfig{
		Dir: b.dir, User: spec.User, Env: spec.Env, AuthorizedKey: spec.AuthorizedKey, HostKey: spec.HostKey,
		Silent: len(inherited) <= listenFD-3,
	})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe", daemonArg)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(config), log, log
	cmd.ExtraFiles = inherited
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, cmd.Start()
}

// waitReady waits for the daemon's word, which is a line: empty when all is well.
func waitReady(ctx context.Context, ready *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = ready.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	said := make([]byte, 1000)
	n, err := ready.Read(said)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("the box's SSH server ended at once: %w", err)
	case string(said[:n]) != "\n":
		return fmt.Errorf("start the box's SSH server: %s", said[:n-1])
	}
	return nil
}

// stop ends the daemon and its commands. SIGTERM asks them, SIGQUIT makes the
// daemon kill its commands, and SIGKILL is for a daemon that does neither.
func (b box) stop(ctx context.Context, grace time.Duration) error {
	steps := []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, grace}, {unix.SIGQUIT, 2 * time.Second}, {unix.SIGKILL, 2 * time.Second}}
	for _, step := range steps {
		if step.wait == 0 {
			continue
		}
		if stopped, err := b.signal(step.signal); stopped || err != nil {
			return err
		}
		if stopped, err := b.waitStopped(ctx, step.wait); stopped || err != nil {
			return err
		}
	}
	return errors.New("the box's SSH server does not end")
}

// signal signals the daemon. It reports whether the box is stopped already.
func (b box) signal(s unix.Signal) (stopped bool, err error) {
	r, err := b.read()
	if err != nil && b.exists() && !b.made() {
		return true, nil // half made
	}
	if errors.Is(err, os.ErrNotExist) {
		return false, provider.ErrNotFound
	}
	if err != nil {
		return false, err
	}
	fd, err := unix.PidfdOpen(r.PID, 0)
	if err == nil {
		defer unix.Close(fd)
	}
	// With the lock still held after it was opened, fd is the daemon and no
	// later process of the same number.
	if stopped, lockErr := b.stopped(); stopped || lockErr != nil {
		return stopped, lockErr
	}
	if err != nil {
		return false, fmt.Errorf("find the box's SSH server: %w", err)
	}
	if err := unix.PidfdSendSignal(fd, s, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return false, fmt.Errorf("signal the box's SSH server: %w", err)
	}
	return false, nil
}

func (b box) stopped() (bool, error) {
	lock, err := b.tryLock()
	if err == nil {
		return true, lock.Close()
	}
	if errors.Is(err, errRunning) {
		return false, nil
	}
	return false, err
}

func (b box) waitStopped(ctx context.Context, limit time.Duration) (bool, error) {
	end := time.After(limit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if stopped, err := b.stopped(); stopped || err != nil {
			return stopped, err
		}
		select {
		case <-tick.C:
		case <-end:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
