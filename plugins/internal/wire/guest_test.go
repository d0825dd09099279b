package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-plugin"

	"github.com/berth-dev/berth/provisioner"
)

// scripted is a provisioner whose work is a function of the test.
type scripted struct {
	Text string `hcl:"text,optional"`
	do   func(context.Context, provisioner.Guest, string) error
}

func (s *scripted) Provision(ctx context.Context, g provisioner.Guest) error {
	return s.do(ctx, g, s.Text)
}
func (s *scripted) Validate() error {
	if s.Text == "bad" {
		return &provisioner.ArgError{Arg: "text", Err: errors.New("must be good")}
	}
	return nil
}
func (s *scripted) Inputs() []string { return []string{s.Text, "caf\xe9"} }

// fakeGuest records calls; run is what Run does.
type fakeGuest struct {
	mu    sync.Mutex
	calls []any
	run   func(context.Context, provisioner.Cmd) error
	err   error
	info  provisioner.Info
}

func (g *fakeGuest) record(call ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, call)
}
func (g *fakeGuest) Info() provisioner.Info { return g.info }
func (g *fakeGuest) Report(text string)     { g.record("report", text) }
func (g *fakeGuest) Run(ctx context.Context, cmd provisioner.Cmd) error {
	return g.run(ctx, cmd)
}
func (g *fakeGuest) Upload(_ context.Context, src, dst string, o provisioner.FileOptions) error {
	g.record("upload", src, dst, o)
	return g.err
}
func (g *fakeGuest) Download(_ context.Context, src, dst string) error {
	g.record("download", src, dst)
	return g.err
}

func dialProvisioner(t *testing.T, do func(context.Context, provisioner.Guest, string) error) *ProvisionerClient {
	t.Helper()
	set := ProvisionerSet(func() provisioner.Provisioner { return &scripted{Text: "default", do: do} })
	client, _ := plugin.TestPluginGRPCConn(t, false, set)
	t.Cleanup(func() { client.Close() }) // it ends the server as well
	raw, err := client.Dispense(Provisioner)
	if err != nil {
		t.Fatal(err)
	}
	return raw.(*ProvisionerClient)
}

func TestProvisionerRoundTrip(t *testing.T) {
	t.Chdir(t.TempDir())
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	g := &fakeGuest{info: filled[provisioner.Info](t), err: provisioner.ErrConnection}
	options := filled[provisioner.FileOptions](t)
	c := dialProvisioner(t, func(ctx context.Context, far provisioner.Guest, text string) error {
		if diff := cmp.Diff(g.info, far.Info()); diff != "" {
			t.Error(diff)
		}
		far.Report("one line")
		for _, err := range []error{
			far.Upload(ctx, "src", "/dst/", options),
			far.Upload(ctx, "/abs/", "dst", provisioner.FileOptions{}),
			far.Download(ctx, "/a", "b/"),
			far.Download(ctx, "/a", "caf\xe9"),
		} {
			if err != provisioner.ErrConnection {
				t.Errorf("error %v, want ErrConnection itself", err)
			}
		}
		return errors.New(text)
	})
	if err := c.Provision(t.Context(), []byte(`{"text":"bound"}`), g); err == nil || err.Error() != "bound" {
		t.Errorf("Provision: %v", err)
	}
	want := []any{
		[]any{"report", "one line"},
		[]any{"upload", filepath.Join(cwd, "src"), "/dst/", options},
		[]any{"upload", "/abs/", "dst", provisioner.FileOptions{}},
		[]any{"download", "/a", filepath.Join(cwd, "b") + "/"},
		[]any{"download", "/a", filepath.Join(cwd, "caf\xe9")},
	}
	if diff := cmp.Diff(want, g.calls); diff != "" {
		t.Error(diff)
	}
	inputs, err := c.Inputs(t.Context(), nil)
	if err != nil || !cmp.Equal(inputs, []string{"default", "caf\xe9"}) {
		t.Errorf("Inputs %q, %v", inputs, err)
	}
	var arg *provisioner.ArgError
	if err := c.Validate(t.Context(), []byte(`{"text":"bad"}`)); !errors.As(err, &arg) || arg.Arg != "text" {
		t.Errorf("Validate: %v", err)
	}
}

func TestRunRoundTrip(t *testing.T) {
	input := bytes.Repeat([]byte("0123456789"), 100_000)
	cmd := filled[struct {
		Argv []string
		Env  map[string]string
		Dir  string
		Root bool
	}](t)
	exit := &provisioner.ExitError{Argv: []string{"x"}, Status: 5, Stderr: "oh"}
	g := &fakeGuest{run: func(ctx context.Context, got provisioner.Cmd) error {
		if diff := cmp.Diff([]any{cmd.Argv, cmd.Env, cmd.Dir, cmd.Root}, []any{got.Argv, got.Env, got.Dir, got.Root}); diff != "" {
			t.Error(diff)
		}
		io.Copy(io.MultiWriter(got.Stdout, got.Stderr), got.Stdin)
		return exit
	}}
	c := dialProvisioner(t, func(ctx context.Context, far provisioner.Guest, _ string) error {
		var out, errs bytes.Buffer
		err := far.Run(ctx, provisioner.Cmd{
			Argv: cmd.Argv, Env: cmd.Env, Dir: cmd.Dir, Root: cmd.Root,
			Stdin: bytes.NewReader(input), Stdout: &out, Stderr: &errs,
		})
		if !bytes.Equal(out.Bytes(), input) || !bytes.Equal(errs.Bytes(), input) {
			t.Errorf("got %d and %d bytes of output, want %d", out.Len(), errs.Len(), len(input))
		}
		return err
	})
	if diff := cmp.Diff(error(exit), c.Provision(t.Context(), nil, g)); diff != "" {
		t.Error(diff)
	}
}

// TestRunLargeArgument: what a step runs may be a script of many MiB.
func TestRunLargeArgument(t *testing.T) {
	large := strings.Repeat("x", 16<<20)
	g := &fakeGuest{run: func(_ context.Context, got provisioner.Cmd) error {
		if len(got.Argv) != 1 || got.Argv[0] != large {
			t.Error("another argument came")
		}
		return nil
	}}
	c := dialProvisioner(t, func(ctx context.Context, far provisioner.Guest, _ string) error {
		return far.Run(ctx, provisioner.Cmd{Argv: []string{large}})
	})
	if err := c.Provision(t.Context(), nil, g); err != nil {
		t.Error(err)
	}
}

func TestRunWithoutStreams(t *testing.T) {
	g := &fakeGuest{run: func(_ context.Context, got provisioner.Cmd) error {
		if got.Stdin != nil || got.Stdout != nil || got.Stderr != nil {
			t.Errorf("streams %v %v %v, want none", got.Stdin, got.Stdout, got.Stderr)
		}
		return nil
	}}
	c := dialProvisioner(t, func(ctx context.Context, far provisioner.Guest, _ string) error {
		return far.Run(ctx, provisioner.Cmd{Argv: []string{"true"}})
	})
	if err := c.Provision(t.Context(), nil, g); err != nil {
		t.Error(err)
	}
}

// TestRunEndsBeforeItsInput checks the command that does not read: neither side
// may wait for the other.
func TestRunEndsBeforeItsInput(t *testing.T) {
	g := &fakeGuest{run: func(context.Context, provisioner.Cmd) error {
		time.Sleep(50 * time.Millisecond) // let some input arrive
		return nil
	}}
	never, w := io.Pipe()
	defer w.Close()
	c := dialProvisioner(t, func(ctx context.Context, far provisioner.Guest, _ string) error {
		for _, in := range []io.Reader{never, strings.NewReader(strings.Repeat("x", 10<<20))} {
			if err := far.Run(ctx, provisioner.Cmd{Argv: []string{"true"}, Stdin: in}); err != nil {
				return err
			}
		}
		return nil
	})
	if err := c.Provision(t.Context(), nil, g); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if !bytes.Contains(stacks, []byte("wire.receiveInput")) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the host still waits for somebody to read the input")
		}
	}
}

type badStream struct{ err error }

func (b badStream) Read([]byte) (int, error)  { return 0, b.err }
func (b badStream) Write([]byte) (int, error) { return 0, b.err }

func TestStreamsThatFail(t *testing.T) {
	oops := errors.New("oops")
	g := &fakeGuest{run: func(ctx context.Context, cmd provisioner.Cmd) error {
		if cmd.Stdout != nil {
			cmd.Stdout.Write([]byte("x"))
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	c := dialProvisioner(t, func(ctx context.Context, far provisioner.Guest, _ string) error {
		err := far.Run(ctx, provisioner.Cmd{Argv: []string{"cat"}, Stdin: badStream{oops}})
		if !errors.Is(err, oops) || err.Error() != "read input: oops" {
			t.Errorf("bad input: %v", err)
		}
		err = far.Run(ctx, provisioner.Cmd{Argv: []string{"cat"}, Stdout: badStream{oops}})
		if !errors.Is(err, oops) || err.Error() != "write output of cat: oops" {
			t.Errorf("bad output: %v", err)
		}
		return nil
	})
	if err := c.Provision(t.Context(), nil, g); err != nil {
		t.Error(err)
	}
}

// TestSlowPlugin checks that output waits in the guest and not in memory.
func TestSlowPlugin(t *testing.T) {
	var sent int
	var mu sync.Mutex
	g := &fakeGuest{run: func(ctx context.Context, cmd provisioner.Cmd) error {
		for range 1000 {
			if _, err := cmd.Stdout.Write(make([]byte, chunk)); err != nil {
				return err
			}
			mu.Lock()
			sent++
			mu.Unlock()
		}
		return nil
	}}
	c := dialProvisioner(t, func(ctx context.Context, far provisioner.Guest, _ string) error {
		r, w := io.Pipe()
		go func() {
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			if sent > 100 {
				t.Errorf("%d pieces sent to a plugin that has read none", sent)
			}
			mu.Unlock()
			io.Copy(io.Discard, r)
		}()
		return far.Run(ctx, provisioner.Cmd{Argv: []string{"yes"}, Stdout: w})
	})
	if err := c.Provision(t.Context(), nil, g); err != nil {
		t.Error(err)
	}
}

// TestCancelReachesTheGuest cancels on the host, and in the plugin alone.
func TestCancelReachesTheGuest(t *testing.T) {
	running := make(chan bool)
	ended := make(chan error, 1)
	g := &fakeGuest{run: func(ctx context.Context, _ provisioner.Cmd) error {
		running <- true
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond) // the killing takes time
		ended <- ctx.Err()
		return ctx.Err()
	}}
	for name, careless := range map[string]bool{"with the call's context": false, "with no context": true} {
		t.Run(name, func(t *testing.T) {
			c := dialProvisioner(t, func(ctx context.Context, far provisioner.Guest, _ string) error {
				if careless {
					ctx = context.WithoutCancel(ctx)
				}
				return far.Run(ctx, provisioner.Cmd{Argv: []string{"forever"}})
			})
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-running; cancel() }()
			begin := time.Now()
			if err := c.Provision(ctx, nil, g); !errors.Is(err, context.Canceled) {
				t.Errorf("Provision: %v, want canceled", err)
			}
			if d := time.Since(begin); d > CancelGrace/2 {
				t.Errorf("cancelling took %s", d)
			}
			select {
			case err := <-ended:
				if err != context.Canceled {
					t.Errorf("the command ended with %v", err)
				}
			default:
				t.Fatal("Provision returned while the guest's command runs")
			}
		})
	}
	t.Run("in the plugin", func(t *testing.T) {
		c := dialProvisioner(t, func(ctx context.Context, far provisioner.Guest, _ string) error {
			ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			if err := far.Run(ctx, provisioner.Cmd{Argv: []string{"forever"}}); err != context.DeadlineExceeded {
				t.Errorf("Run: %v", err)
			}
			ctx, cancelWith := context.WithCancelCause(context.WithoutCancel(ctx))
			cancelWith(errors.New("for a reason"))
			if err := far.Run(ctx, provisioner.Cmd{Argv: []string{"forever"}}); err != context.Canceled {
				t.Errorf("Run: %v", err)
			}
			return nil
		})
		go func() { <-running }()
		if err := c.Provision(t.Context(), nil, g); err != nil {
			t.Error(err)
		}
		<-ended
	})
}
