package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider/lxc"
)

// project is a project with a data home of its own, for tests that do to berth
// what a script cannot.
type project struct {
	t    *testing.T
	dir  string
	env  []string
	data string // the LXC provider's
}

// newProject makes a project whose boxes are gone with the test.
func newProject(t *testing.T, envfile string) *project {
	t.Helper()
	testenv.NeedLXC(t)
	testenv.NeedNet(t)
	cache, err := imageCache()
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	p := &project{t: t, dir: filepath.Join(work, "killed"), data: lxcData(work)}
	p.env = append(os.Environ(), "BERTH_HOME="+filepath.Join(work, "data"), "XDG_CONFIG_HOME="+work, "NO_COLOR=1")
	for _, dir := range []string{p.dir, p.data} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := linkImages(cache, p.data); err != nil {
		t.Fatal(err)
	}
	p.write(envfile)
	t.Cleanup(func() {
		if out, err := p.run("destroy", "-f"); err != nil {
			t.Errorf("destroy at the end: %v\n%s", err, out)
		}
	})
	return p
}

func (p *project) write(envfile string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, "Envfile"), []byte(envfile), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// start starts berth in a process group of its own, as a shell does.
func (p *project) start(args ...string) (*exec.Cmd, *bytes.Buffer) {
	p.t.Helper()
	cmd := exec.Command("berth", args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Minute // a pipe that a daemon keeps open must not hang the test
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	return cmd, &out
}

// run runs berth to its end.
func (p *project) run(args ...string) (string, error) {
	p.t.Helper()
	cmd, out := p.start(args...)
	err := cmd.Wait()
	return out.String(), err
}

// must runs berth and fails the test if it fails.
func (p *project) must(args ...string) string {
	p.t.Helper()
	out, err := p.run(args...)
	if err != nil {
		p.t.Fatalf("berth %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// noResidue fails if anything of the boxes is left.
func (p *project) noResidue(ids []string) {
	p.t.Helper()
	for _, id := range append(ids, boxIDs(p.data)...) {
		left, err := lxc.Leftovers(p.data, id)
		if err != nil || len(left) > 0 {
			p.t.Errorf("left of %s: %v, %v", id, left, err)
		}
	}
	if left := forwarders(filepath.Dir(p.dir)); len(left) > 0 {
		p.t.Errorf("forwarders left: %v", left)
	}
	for _, dir := range []string{"boxes", "projects"} {
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(p.data)), dir, "*")); len(left) > 0 {
			p.t.Errorf("left in the data home: %v", left)
		}
	}
}

// A berth killed at any moment of its first up leaves what status, up and
// destroy can deal with, and destroy leaves nothing.
func TestKillDuringUp(t *testing.T) {
	p := newProject(t, "box \"a\" {\n  image = \"debian:bookworm\"\n  forward \"ssh\" { guest = 22 }\n"+
		"  provisioner \"shell\" {\n    inline = \"sleep 0.2; echo done >/etc/step\"\n  }\n}\n")
	begin := time.Now()
	p.must("up")
	whole := time.Since(begin)
	p.must("destroy", "-f")
	const moments = 14
	for i := range moments {
		at := whole * time.Duration(i+1) / moments
		cmd, out := p.start("up")
		time.Sleep(at)
		_ = cmd.Process.Kill() // it may have ended just now
		_ = cmd.Wait()
		ids := boxIDs(p.data)
		p.must("status")
		if i%2 == 0 {
			p.must("up")
			if got := p.must("ssh", "-c", "cat /etc/step"); got != "done\n" {
				t.Errorf("killed after %s, then up: the step left %q", at, got)
			}
			ids = boxIDs(p.data)
		}
		p.must("destroy", "-f")
		if p.noResidue(ids); t.Failed() {
			t.Fatalf("killed after %s of %s, when it had said:\n%s", at, whole, out)
		}
	}
}

// Ctrl-C in a step ends the step's command in the box; the next up goes on from
// there. A second Ctrl-C ends berth at once.
func TestInterruptStep(t *testing.T) {
	p := newProject(t, "box \"a\" {\n  image = \"debian:bookworm\"\n"+
		"  provisioner \"shell\" \"slow\" {\n    inline = \"test -e /etc/again || { touch /etc/again; exec sleep 1234; }\"\n  }\n}\n")
	cmd, out := p.start("up")
	p.waitIn("pgrep -f '^sleep 123[4]'")
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // the terminal sends it to the whole group
	begin := time.Now()
	if status := exitStatus(cmd.Wait()); status != 130 {
		t.Errorf("the status is %d\n%s", status, out)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s to end", took)
	}
	if got := p.must("ssh", "-c", "pgrep -f '^sleep 123[4]' || echo none"); got != "none\n" {
		t.Errorf("the step's command still runs: %s", got)
	}
	if got := p.must("up"); !strings.Contains(got, `resuming at step shell "slow", which was interrupted`) {
		t.Errorf("the next up said\n%s", got)
	}
	p.must("destroy", "-f")
}

func TestInterruptTwice(t *testing.T) {
	p := newProject(t, "box \"a\" {\n  image = \"debian:bookworm\"\n  halt_timeout = \"60s\"\n}\n")
	p.must("up")
	// A box that does not halt makes berth wait.
	p.must("ssh", "-c", "sudo systemd-run --quiet -p KillSignal=SIGCONT -p TimeoutStopSec=50 sleep 1234")
	cmd, out := p.start("halt")
	time.Sleep(time.Second)
	for range 2 {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		time.Sleep(50 * time.Millisecond)
	}
	begin := time.Now()
	if status := exitStatus(cmd.Wait()); status != 130 {
		t.Errorf("the status is %d\n%s", status, out)
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %s to end", took)
	}
	ids := boxIDs(p.data)
	p.must("destroy", "-f")
	p.noResidue(ids)
}

// waitIn waits until a command succeeds in the box.
func (p *project) waitIn(command string) {
	p.t.Helper()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		out, err := p.run("ssh", "-c", command)
		if err == nil {
			return
		}
		if time.Since(begin) > time.Minute {
			p.t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
}

func exitStatus(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}
