package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// bench is one run of measurements.
type bench struct {
	ctx              context.Context
	berth, home, dir string
	id               string // of the first box, once findBox has looked
	runs             int
	rows             []row
	notes            []string
}

// row is one thing that was measured.
type row struct {
	what  string
	took  []time.Duration
	floor string // what it is to be compared with
}

func (r row) median() time.Duration { return at(r.took, len(r.took)/2) }
func (r row) least() time.Duration  { return at(r.took, 0) }

func at(took []time.Duration, i int) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[i].Round(100 * time.Microsecond)
}

// output runs berth and returns its standard output.
func (b *bench) output(args ...string) ([]byte, error) {
	return b.exec(b.berth, args...)
}

func (b *bench) exec(name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "BERTH_HOME="+b.home)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w\n%s", name, args, err, stderr.Bytes())
	}
	return out, nil
}

func (b *bench) timed(f func() error) (time.Duration, error) {
	begin := time.Now()
	err := f()
	return time.Since(begin), err
}

func (b *bench) command(args ...string) func() error {
	return func() error { _, err := b.output(args...); return err }
}

// repeat measures f with what comes before and after each time left out.
func (b *bench) repeat(what, floor string, before, f, after func() error) error {
	r := row{what: what, floor: floor}
	for range b.runs {
		for _, step := range []func() error{before, func() error {
			took, err := b.timed(f)
			r.took = append(r.took, took)
			return err
		}, after} {
			if step == nil {
				continue
			}
			if err := step(); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	b.rows = append(b.rows, r)
	return nil
}

// one measures a single box.
func (b *bench) one() error {
	if err := b.writeEnvfile(1); err != nil {
		return err
	}
	up, destroy, halt, ssh := b.command("up"), b.command("destroy", "-f"), b.command("halt"), b.command("ssh", "-c", "true")
	if err := up(); err != nil { // builds the image if there is none
		return err
	}
	if err := destroy(); err != nil {
		return err
	}
	upAndRun := func() error {
		if err := up(); err != nil {
			return err
		}
		return ssh()
	}
	const login = "lxc-start until sshd listens, plus ssh box true"
	if err := b.repeat("up (new box), then ssh -c true", login, nil, upAndRun, destroy); err != nil {
		return err
	}
	if err := up(); err != nil {
		return err
	}
	steps := []struct {
		what, floor      string
		before, f, after func() error
	}{
		{"up (halted box), then ssh -c true", login, halt, upAndRun, nil},
		{"up on a running box", "", nil, up, nil},
		{"status", "", nil, b.command("status"), nil},
		{"ssh -c true", "OpenSSH: ssh box true", nil, ssh, nil},
		{"OpenSSH: ssh box true", "", nil, b.openSSH, nil},
		{"halt", "lxc-stop of the same box", up, halt, nil},
		{"lxc-stop of the same box", "", func() error { return errors.Join(up(), b.findBox()) }, b.lxcStop, nil},
	}
	for _, s := range steps {
		if err := b.repeat(s.what, s.floor, s.before, s.f, s.after); err != nil {
			return err
		}
	}
	if err := b.floor(up, halt); err != nil {
		return err
	}
	return b.repeat("destroy (running box)", "", up, destroy, nil)
}

// floor measures bare LXC.
func (b *bench) floor(up, halt func() error) (err error) {
	if err := up(); err != nil {
		return err
	}
	boxes, err := b.running() // a halted box has no address to show
	if err != nil {
		return err
	}
	if err := halt(); err != nil {
		return err
	}
	bare, err := b.newBareBox(boxes[0].ID, boxes[0].Address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.remove()) }()
	if err := b.repeat("lxc-start until sshd listens", "", nil, bare.start, bare.kill); err != nil {
		return err
	}
	return b.repeat("lxc-stop of the bare box", "", bare.start, bare.stop, nil)
}

// openSSH logs in with ssh(1), configured by ssh-config beforehand.
func (b *bench) openSSH() error {
	if _, err := os.Stat(b.sshConfig()); err != nil {
		if err := b.writeSSHConfig(); err != nil {
			return err
		}
	}
	return b.sshTo(0)
}

func (b *bench) sshConfig() string { return filepath.Join(b.dir, "ssh.config") }

// writeSSHConfig notes how to reach the boxes that are running.
func (b *bench) writeSSHConfig() error {
	out, err := b.output("ssh-config")
	if err != nil {
		return err
	}
	return os.WriteFile(b.sshConfig(), out, 0o600)
}

func (b *bench) sshTo(i int) error {
	_, err := b.exec("ssh", "-F", b.sshConfig(), fmt.Sprintf("b%d", i), "true")
	return err
}

func (b *bench) lxcPath() string { return filepath.Join(b.home, "provider", "lxc", "boxes") }

// findBox notes the first box's id, so that lxcStop need not ask for it.
func (b *bench) findBox() error {
	boxes, err := b.running()
	if err == nil {
		b.id = boxes[0].ID
	}
	return err
}

// lxcStop halts the box without berth.
func (b *bench) lxcStop() error {
	_, err := b.exec("lxc-stop", "-n", b.id, "-P", b.lxcPath())
	return err
}

// destroy removes what a failed run left.
func (b *bench) destroy() {
	b.ctx = context.WithoutCancel(b.ctx)
	_, _ = b.output("destroy", "-f") // there may be nothing
}

// waitForSSHD waits until something listens at addr.
func waitForSSHD(ctx context.Context, addr string) error {
	for {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}
