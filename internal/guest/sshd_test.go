package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/berth/internal/sshdtest"
	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provisioner"
)

// startSSHD runs a real OpenSSH server as long as the test.
func startSSHD(t testing.TB, o sshdtest.Options) Target {
	t.Helper()
	s := sshdtest.New(t, o)
	return Target{Addr: s.Addr, User: sshdtest.User, Key: s.Key, HostKey: s.HostKey}
}

// connect waits for a target as a test does.
func connect(t testing.TB, target Target) *Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := Wait(ctx, target, WaitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// screen is an Output that remembers.
type screen struct{ lockedBuffer }

func (s *screen) Line(stream int, line []byte) { fmt.Fprintf(s, "%d|%s\n", stream, line) }
func (s *screen) Report(text string)           { fmt.Fprintf(s, "report|%s\n", text) }

// output runs a command and gives its standard output.
func output(t testing.TB, g provisioner.Guest, cmd provisioner.Cmd) string {
	t.Helper()
	var b strings.Builder
	cmd.Stdout = &b
	if err := g.Run(t.Context(), cmd); err != nil {
		t.Fatalf("run %q: %v", cmd.Argv, err)
	}
	return b.String()
}

func TestOpenSSH(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"/bin/sh", "/bin/bash", "/usr/bin/zsh", "/usr/bin/fish", "/usr/bin/tcsh"} {
		if _, err := os.Stat(shell); err != nil {
			continue
		}
		t.Run(filepath.Base(shell), func(t *testing.T) {
			c := connect(t, startSSHD(t, sshdtest.Options{Shell: shell}))
			g := c.Guest(provisioner.Info{User: "dev"}, &screen{})
			for _, root := range []bool{false, true} {
				t.Run(fmt.Sprintf("root=%v", root), func(t *testing.T) {
					if root {
						testenv.NeedTool(t, "sudo")
					}
					testOpenSSH(t, g, root)
				})
			}
			testSession(t, c, shell)
		})
	}
}

const nasty = "it's \\ \"$HOME\" `id` !! %s \n second line\n\n#\t\x81\x82\xff ünï"

func testOpenSSH(t *testing.T, g provisioner.Guest, root bool) {
	who := strings.TrimSpace(output(t, g, provisioner.Cmd{Argv: []string{"id", "-un"}, Root: root}))
	if want := map[bool]string{false: "dev", true: "root"}[root]; who != want {
		t.Errorf("id -un = %q, want %q", who, want)
	}
	got := output(t, g, provisioner.Cmd{
		Argv: []string{"sh", "-c", `printf '%s|' "$V" "$@"; pwd; cat`, "sh", nasty, "", "last"},
		Env:  map[string]string{"V": nasty},
		Dir:  "/tmp", Root: root, Stdin: strings.NewReader("the rest\nof it"),
	})
	if want := nasty + "|" + nasty + "||last|/tmp\nthe rest\nof it"; got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	if got := output(t, g, provisioner.Cmd{Argv: []string{"pwd"}, Root: root}); got != "/home/dev\n" {
		t.Errorf("pwd without Dir = %q", got)
	}
	err := g.Run(t.Context(), provisioner.Cmd{Argv: []string{"sh", "-c", "echo one >&2; echo two >&2; exit 42"}, Root: root})
	var exit *provisioner.ExitError
	if !errors.As(err, &exit) || exit.Status != 42 || exit.Stderr != "one\ntwo" {
		t.Errorf("exit 42: %#v", err)
	}
	err = g.Run(t.Context(), provisioner.Cmd{Argv: []string{"sh", "-c", "kill -KILL $$"}, Root: root})
	if !errors.As(err, &exit) || exit.Signal != "KILL" {
		t.Errorf("killed: %v", err)
	}
	err = g.Run(t.Context(), provisioner.Cmd{Argv: []string{"true"}, Dir: "/missing", Root: root})
	if !errors.As(err, &exit) || !strings.Contains(exit.Stderr, "/missing") {
		t.Errorf("missing folder: %#v", err)
	}
}

func testSession(t *testing.T, c *Client, shell string) {
	var out strings.Builder
	err := c.Session(t.Context(), SessionOptions{Command: "echo $V; cat", Env: map[string]string{"V": "a 'b'"}, Stdin: strings.NewReader("in"), Stdout: &out})
	if err != nil || out.String() != "a 'b'\nin" {
		t.Errorf("session: %q, %v", out.String(), err)
	}
	out.Reset()
	err = c.Session(t.Context(), SessionOptions{Stdin: strings.NewReader("echo $0 $V\n"), Env: map[string]string{"V": "x"}, Stdout: &out})
	if err != nil || !strings.HasSuffix(out.String(), " x\n") && filepath.Base(shell) != "fish" && filepath.Base(shell) != "tcsh" {
		t.Errorf("shell from stdin: %q, %v", out.String(), err)
	}
	out.Reset()
	tty := &TTY{Term: "xterm", Width: 97, Height: 31}
	err = c.Session(t.Context(), SessionOptions{Command: `printf '%s\n' "$V"; stty size; exit 5`, Env: map[string]string{"V": "'7" + nasty[:20]}, Stdin: strings.NewReader(""), Stdout: &out, TTY: tty})
	var exit *provisioner.ExitError
	if !errors.As(err, &exit) || exit.Status != 5 || out.String() != "'7"+nasty[:20]+"\r\n31 97\r\n" {
		t.Errorf("terminal: %q, %v", out.String(), err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	c := connect(t, startSSHD(t, sshdtest.Options{}))
	g := c.Guest(provisioner.Info{User: "dev"}, &screen{})
	// A tree with a child that ignores TERM, one in a session of its own, and one
	// that is root's although the command is not.
	const tree = `trap "" TERM; setsid sleep 1001 & sh -c "sleep 1002; :" & sudo -n sleep 1003 & echo ready; sleep 1004; :`
	for _, root := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		err := g.Run(ctx, provisioner.Cmd{Argv: []string{"sh", "-c", tree}, Root: root, Stdout: writerFunc(func(b []byte) (int, error) {
			start = time.Now()
			cancel()
			return len(b), nil
		})})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("root=%v: %v", root, err)
		}
		t.Logf("root=%v: ended after %s", root, time.Since(start))
		if ps := output(t, g, provisioner.Cmd{Argv: []string{"sh", "-c", "ps -eo pid,args | grep '[s]leep 100' || true"}}); ps != "" {
			t.Errorf("root=%v: left over:\n%s", root, ps)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestKillStray(t *testing.T) {
	t.Parallel()
	target := startSSHD(t, sshdtest.Options{})
	first, second := connect(t, target), connect(t, target)
	g := second.Guest(provisioner.Info{User: "dev"}, &screen{})
	// A daemon of a finished run stays, and so does a person's session.
	output(t, g, provisioner.Cmd{Argv: []string{"sh", "-c", "sleep 2001 >/dev/null 2>&1 &"}, Root: true})
	hold, stop := context.WithCancel(t.Context())
	var people sync.WaitGroup
	people.Go(func() { second.Session(hold, SessionOptions{Command: "sleep 2002"}) })
	// A run that is cut off leaves its command.
	ready := make(chan bool)
	gone := make(chan error)
	go func() {
		gone <- first.Guest(provisioner.Info{User: "dev"}, &screen{}).Run(t.Context(), provisioner.Cmd{
			Argv: []string{"sh", "-c", "echo ready; sleep 2003 & sleep 2004; :"}, Root: true,
			Stdout: writerFunc(func(b []byte) (int, error) { close(ready); return len(b), nil }),
		})
	}()
	<-ready
	first.Close()
	if err := <-gone; !errors.Is(err, provisioner.ErrConnection) {
		t.Errorf("run on a closed connection: %v", err)
	}
	ps := provisioner.Cmd{Argv: []string{"sh", "-c", "ps -eo args | grep '^sleep 200' | sort"}}
	all := "sleep 2001\nsleep 2002\nsleep 2003\nsleep 2004\n"
	for deadline := time.Now().Add(10 * time.Second); output(t, g, ps) != all; {
		if time.Now().After(deadline) {
			t.Fatalf("before: %q", output(t, g, ps))
		}
	}
	if err := second.KillStray(t.Context()); err != nil {
		t.Error(err)
	}
	if got := output(t, g, ps); got != "sleep 2001\nsleep 2002\n" {
		t.Errorf("after: %q", got)
	}
	stop()
	people.Wait()
	if got := output(t, g, ps); got != "sleep 2001\n" {
		t.Errorf("after the session's context: %q", got)
	}
}

func TestSudoPassword(t *testing.T) {
	t.Parallel()
	c := connect(t, startSSHD(t, sshdtest.Options{Sudo: "ALL"}))
	err := c.Guest(provisioner.Info{User: "dev"}, &screen{}).Run(t.Context(), provisioner.Cmd{Argv: []string{"true"}, Root: true})
	if err == nil || !strings.HasPrefix(err.Error(), "run as root: user dev of the box needs sudo without a password") {
		t.Errorf("error: %v", err)
	}
}

func TestBackgroundOutput(t *testing.T) {
	t.Parallel()
	c := connect(t, startSSHD(t, sshdtest.Options{}))
	start := time.Now()
	err := c.Guest(provisioner.Info{User: "dev"}, &screen{}).Run(t.Context(), provisioner.Cmd{Argv: []string{"sh", "-c", "sleep 60 &"}})
	if took := time.Since(start); err != nil || took > 10*time.Second {
		t.Errorf("a command whose child holds its output: %v after %s", err, took)
	}
}
