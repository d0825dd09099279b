package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/berth/plugins"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provisioner"
)

// TestMain lets the test binary be every plugin of the tests: it is linked to
// under their names, and it is its own built-in plugins as well.
func TestMain(m *testing.M) {
	name := filepath.Base(os.Args[0])
	if len(os.Args) == 5 && os.Args[1] == "plugin" && os.Args[2] == "serve" {
		name = binaryName(os.Args[3], os.Args[4])
	}
	if !strings.HasPrefix(name, "berth-") {
		os.Exit(m.Run())
	}
	bePlugin(name)
}

func bePlugin(name string) {
	switch name {
	case "berth-provider-prints":
		fmt.Println("hello from the package")
	case "berth-provider-panics":
		var m map[string]int
		//lint:ignore SA5000 the panic is the point
		m["x"] = 1
	case "berth-provider-exits":
		fmt.Fprintln(os.Stderr, "cannot find my hat")
		os.Exit(7)
	case "berth-provider-killed":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "berth-provider-hangs":
		time.Sleep(time.Minute)
	case "berth-provider-newer":
		fmt.Println("1|7|unix|/nowhere|grpc|")
		time.Sleep(time.Minute)
	case "berth-provider-confused", "berth-provisioner-ok":
		plugins.ServeProvisioner(func() provisioner.Provisioner { return &testProvisioner{} })
	case "berth-provider-badtag":
		plugins.ServeProvider(func() provider.Provider { return &badTag{} })
	case "berth-provider-chatty":
		go func() {
			for {
				out, _ := os.Readlink("/proc/self/fd/1")
				if log, _ := os.Readlink("/proc/self/fd/2"); out == log { // Serve has begun
					fmt.Println("I am a stray print")
					os.Stdout.WriteString("and I another\n")
				}
			}
		}()
	}
	plugins.ServeProvider(func() provider.Provider { return &testProvider{Mode: "default"} })
}

// testProvider does what the image says.
type testProvider struct {
	Mode  string   `hcl:"mode,optional"`
	Lines []string `hcl:"lines,optional"`
	Small int8     `hcl:"small,optional"`
}

type badTag struct {
	testProvider
	Bad chan int `hcl:"bad"`
}

func (p *testProvider) Validate() error {
	if p.Mode == "bad" {
		return &provider.ArgError{Arg: "mode", Err: errors.New("must be good")}
	}
	return nil
}

// Check returns the environment as an error.
func (p *testProvider) Check(context.Context) error {
	return errors.New(p.Mode + strings.Join(p.Lines, ",") + "\n" + strings.Join(os.Environ(), "\n"))
}

func (p *testProvider) Create(ctx context.Context, spec provider.Spec, report provider.Report) error {
	switch spec.Image {
	case "die":
		fmt.Fprintln(os.Stderr, "I am dying")
		os.Exit(3)
	case "panic":
		panic("out of rum")
	case "stop":
		syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		time.Sleep(100 * time.Millisecond)
		<-ctx.Done()
	case "undo":
		report.Step("begun")
		<-ctx.Done()
		time.Sleep(150 * time.Millisecond)
		return errors.Join(ctx.Err(), os.WriteFile(spec.Name, nil, 0o600))
	case "stubborn":
		report.Step("begun")
		select {}
	case "interrupt":
		syscall.Kill(os.Getpid(), syscall.SIGINT)
		time.Sleep(50 * time.Millisecond)
	case "children":
		return startChildren(spec.Name)
	case "print":
		fmt.Println("a stray print")
	case "flood":
		for i := range 10000 {
			report(provider.Event{Text: strings.Repeat("x", 100), Done: int64(i)})
		}
	case "noise":
		for range 20000 {
			fmt.Fprintln(os.Stderr, strings.Repeat("noise ", 100))
		}
	}
	return nil
}

// startChildren starts one child in the plugin's group and one that has left
// it, both with the plugin's standard error, and writes their ids to a file.
func startChildren(path string) error {
	var ids []string
	for _, setsid := range []bool{false, true} {
		c := exec.Command("sleep", "60")
		c.Stderr = os.Stderr
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: setsid}
		if err := c.Start(); err != nil {
			return err
		}
		ids = append(ids, fmt.Sprint(c.Process.Pid))
	}
	return os.WriteFile(path, []byte(strings.Join(ids, " ")), 0o600)
}

func (p *testProvider) Start(context.Context, provider.Spec, provider.Report) error { return nil }
func (p *testProvider) Stop(context.Context, string, time.Duration, provider.Report) error {
	return nil
}
func (p *testProvider) Destroy(context.Context, string, provider.Report) error {
	return provider.ErrNotFound
}
func (p *testProvider) Inspect(_ context.Context, id string) (provider.Box, error) {
	return provider.Box{ID: id, SSHAddr: fmt.Sprint(os.Getpid())}, nil
}
func (p *testProvider) Logs(context.Context, string) ([]provider.Log, error) { return nil, nil }

// testProvisioner runs "forever" in the guest, or dies while it does.
type testProvisioner struct {
	Die bool `hcl:"die,optional"`
}

func (p *testProvisioner) Provision(ctx context.Context, g provisioner.Guest) error {
	if p.Die {
		time.AfterFunc(50*time.Millisecond, func() { os.Exit(4) })
	}
	return g.Run(ctx, provisioner.Cmd{Argv: []string{"forever"}})
}

// pluginDir makes a folder with links to the test binary under these names.
func pluginDir(t testing.TB, names ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range names {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// newManager returns a manager that finds these plugins, closed at the end.
func newManager(t testing.TB, o Options, names ...string) *Manager {
	t.Helper()
	o.Path = pluginDir(t, names...)
	if o.DataHome == "" {
		o.DataHome = t.TempDir()
	}
	m := New(o)
	t.Cleanup(m.Close)
	return m
}
