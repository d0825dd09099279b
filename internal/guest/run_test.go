package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/berth-dev/berth/provisioner"
)

// local is a guest of an in-process server.
func local(t testing.TB) (*server, provisioner.Guest, *screen) {
	t.Helper()
	s, target := newServer(t)
	target.Addr = s.listen("")
	out := &screen{}
	return s, connect(t, target).Guest(provisioner.Info{User: "dev"}, out), out
}

func sh(script string) provisioner.Cmd {
	return provisioner.Cmd{Argv: []string{"sh", "-c", script}}
}

func TestRunOutput(t *testing.T) {
	t.Parallel()
	_, g, out := local(t)
	if err := g.Run(t.Context(), sh(`printf 'one\ntwo'; sleep 0.1; printf 'a\rb\r\nc' >&2`)); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"1|one\n", "1|two\n", "2|b\n", "2|c\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("%q is missing in %q", line, out.String())
		}
	}
	g.Report("hello")
	if !strings.HasSuffix(out.String(), "report|hello\n") {
		t.Errorf("report: %q", out.String())
	}
}

func TestRunLongHeader(t *testing.T) {
	t.Parallel()
	_, g, _ := local(t)
	cmd := sh(`printf %s "$V" | wc -c; printf %s "$#"; cat`)
	cmd.Env = map[string]string{"V": strings.Repeat("line 'x'\n", 10000)}
	for range 200 {
		cmd.Argv = append(cmd.Argv, strings.Repeat("y", 500))
	}
	cmd.Stdin = strings.NewReader(" rest")
	if got := output(t, g, cmd); got != "90000\n199 rest" {
		t.Errorf("got %q", got)
	}
}

func TestRunErrors(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	for _, c := range []struct {
		cmd  provisioner.Cmd
		want string
	}{
		{provisioner.Cmd{}, "run command: it is empty"},
		{provisioner.Cmd{Argv: []string{"a\x00"}}, "run a\x00: an argument has a NUL byte"},
		{provisioner.Cmd{Argv: []string{"a"}, Env: map[string]string{"A-B": ""}}, `set environment variable "A-B": the name must be letters, digits and _ and not begin with a digit`},
		{provisioner.Cmd{Argv: []string{"a"}, Env: map[string]string{"A": "\x00"}}, "set environment variable A: its value has a NUL byte"},
		{provisioner.Cmd{Argv: []string{"a"}, Dir: "~bob/x"}, `change folder: path "~bob/x": only ~ and ~/… mean a home, that of the login user; for a name that begins with ~ write ./~`},
		{provisioner.Cmd{Argv: []string{"no-such-program"}}, "no-such-program: exit status 127"},
		{sh("kill -TERM $$"), "sh -c kill -TERM $$: killed by signal TERM"},
		{provisioner.Cmd{Argv: []string{"cat"}, Stdin: io.MultiReader(strings.NewReader("x"), badReader{})}, "read standard input of command: disk on fire"},
	} {
		err := g.Run(t.Context(), c.cmd)
		if err == nil || err.Error() != c.want {
			t.Errorf("%q: got %v, want %s", c.cmd.Argv, err, c.want)
		}
	}
	// Input that breaks off must not look like its end to the command.
	cmd := sh("cat; touch whole")
	cmd.Stdin = io.MultiReader(strings.NewReader("half"), badReader{})
	if err := g.Run(t.Context(), cmd); err == nil {
		t.Error("no error from an input that breaks off")
	}
	if _, err := os.Stat(s.home + "/whole"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the command took half of its input for all of it: %v", err)
	}
	full := errors.New("full")
	cmd = sh("seq 100000")
	cmd.Stdout = writerFunc(func([]byte) (int, error) { return 0, full })
	if err := g.Run(t.Context(), cmd); !errors.Is(err, full) {
		t.Errorf("output that cannot be taken: %v", err)
	}
	cmd = sh("echo ready; sleep 2")
	cmd.Stdout = writerFunc(func(b []byte) (int, error) { s.drop(); return len(b), nil })
	if err := g.Run(t.Context(), cmd); !errors.Is(err, provisioner.ErrConnection) {
		t.Errorf("connection cut: %v", err)
	}
	if err := g.Run(t.Context(), sh("true")); !errors.Is(err, provisioner.ErrConnection) {
		t.Errorf("after that: %v", err)
	}
}

type badReader struct{}

func (badReader) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

func TestRunCancel(t *testing.T) {
	t.Parallel()
	_, g, _ := local(t)
	ctx, cancel := context.WithCancel(t.Context())
	pid := make(chan string, 1)
	cmd := sh("trap '' HUP; setsid sleep 300 & echo $! ; wait")
	cmd.Stdout = writerFunc(func(b []byte) (int, error) { pid <- strings.TrimSpace(string(b)); cancel(); return len(b), nil })
	if err := g.Run(ctx, cmd); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	var child int
	fmt.Sscan(<-pid, &child)
	// A zombie is dead, too.
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child)); err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Errorf("the child still lives: %s", stat)
	}
	if err := g.Run(ctx, sh("true")); err != context.Canceled {
		t.Errorf("with an ended context: %v", err)
	}
}

// A server that does not answer must not keep a cancelled command.
func TestRunCancelDeaf(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	s.exec = func(s *server, ch ssh.Channel, command string) {}
	start := time.Now()
	if err := g.Run(soon(t), sh("true")); err != context.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 9*time.Second {
		t.Errorf("took %s", took)
	}
}

// Values of variables must not show up on a command line.
func TestRunHidesEnv(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	var seen bytes.Buffer
	s.exec = func(s *server, ch ssh.Channel, command string) {
		seen.WriteString(command)
		s.run(ch, command)
	}
	cmd := sh(`cat /proc/$$/cmdline; printf %s "$SECRET" | tr a-z A-Z`)
	cmd.Env = map[string]string{"SECRET": "hush"}
	got := output(t, g, cmd)
	if !strings.HasSuffix(got, "HUSH") || strings.Contains(got, "hush") || strings.Contains(seen.String(), "hush") {
		t.Errorf("output %q, command %q", got, seen.String())
	}
}
