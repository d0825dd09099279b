package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/berth-dev/berth/plugins/host"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/providertest"
)

// TestMain lets the test binary be the daemon, which the provider starts as
// itself.
func TestMain(m *testing.M) {
	if !beOther() {
		os.Exit(m.Run())
	}
}

// newSpec returns the spec of a box and the key of its user.
func newSpec(t *testing.T) (provider.Spec, ssh.Signer) {
	t.Helper()
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(hostKey, "")
	if err != nil {
		t.Fatal(err)
	}
	_, userKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(userKey)
	if err != nil {
		t.Fatal(err)
	}
	return provider.Spec{
		ID: "test-box", Project: "test", Name: "box", Hostname: "box", Image: "any", User: "dev",
		Env:           map[string]string{"SHOP": "open"},
		AuthorizedKey: string(ssh.MarshalAuthorizedKey(signer.PublicKey())),
		HostKey:       pem.EncodeToMemory(block),
	}, signer
}

func TestContract(t *testing.T) {
	t.Setenv("BERTH_PLUGIN_DATA", t.TempDir())
	spec, _ := newSpec(t)
	providertest.Run(t, func(*testing.T) provider.Provider { return &local{} }, spec)
}

// build compiles this program into a folder for plugins.
func build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "berth-provider-local"), ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// TestContractThroughThePlugin has a process for every value, as commands have.
func TestContractThroughThePlugin(t *testing.T) {
	o := host.Options{Path: build(t), DataHome: t.TempDir()}
	spec, _ := newSpec(t)
	providertest.Run(t, func(t *testing.T) provider.Provider {
		m := host.New(o)
		t.Cleanup(m.Close)
		p, err := m.Provider(t.Context(), "local")
		if err != nil {
			t.Fatal(err)
		}
		return p.Bind(nil)
	}, spec)
}

// TestBoxOutlivesThePlugin starts a box in a plugin whose host then ends.
func TestBoxOutlivesThePlugin(t *testing.T) {
	o := host.Options{Path: build(t), DataHome: t.TempDir()}
	spec, _ := newSpec(t)
	in := func(config string, do func(p provider.Provider) error) error {
		m := host.New(o)
		defer m.Close()
		p, err := m.Provider(context.WithoutCancel(t.Context()), "local")
		if err != nil {
			t.Fatal(err)
		}
		return do(p.Bind([]byte(config)))
	}
	destroy := func(p provider.Provider) error { return p.Destroy(context.WithoutCancel(t.Context()), spec.ID, nil) }
	t.Cleanup(func() { _ = in("", destroy) })
	create := func(p provider.Provider) error { return p.Create(t.Context(), spec, nil) }
	start := func(p provider.Provider) error { return p.Start(t.Context(), spec, nil) }

	crash := func(call string, do func(provider.Provider) error) {
		t.Helper()
		var died *host.PluginError
		err := in(`{"fail_start":null,"silent":null,"crash":"`+call+`"}`, do)
		if !errors.As(err, &died) || died.Status != "exit status 3" || died.Log != `crash = "`+call+`" is set` {
			t.Errorf("crash in %s: %v", call, err)
		}
	}
	crash("create", create)
	if err := in("", create); err != nil {
		t.Fatal("create after a crash:", err)
	}
	crash("start", start)
	if err := in("", start); err != nil {
		t.Fatal("start after a crash:", err)
	}
	err := in("", func(p provider.Provider) error {
		box, err := p.Inspect(t.Context(), spec.ID)
		if box.State != provider.Running {
			t.Errorf("the box is %s after the plugin's end", box.State)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := in("", destroy); err != nil {
		t.Error(err)
	}
}

// startBox returns a running box and a connection to it.
func startBox(t *testing.T) (*local, provider.Spec, *ssh.Client) {
	t.Helper()
	t.Setenv("BERTH_PLUGIN_DATA", t.TempDir())
	spec, key := newSpec(t)
	l := &local{}
	t.Cleanup(func() { _ = l.Destroy(context.WithoutCancel(t.Context()), spec.ID, nil) })
	if err := l.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := l.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	box, err := l.Inspect(t.Context(), spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	host, err := ssh.ParsePrivateKey(spec.HostKey)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", box.SSHAddr, &ssh.ClientConfig{
		User: "dev", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(host.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return l, spec, client
}

func run(t *testing.T, c *ssh.Client, line, input string) (string, error) {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if input != "" { // a command that does not read it could end before it is sent
		s.Stdin = strings.NewReader(input)
	}
	out, err := s.CombinedOutput(line)
	return string(out), err
}

func TestCommands(t *testing.T) {
	_, spec, c := startBox(t)
	home := openBox(spec.ID).path("home")
	for line, want := range map[string]string{
		"pwd; echo $HOME $USER $SHOP": home + "\n" + home + " dev open\n",
		"cat":                         "input",
		"sudo -n -H -- sh -c 'echo \"$1 $0\"' a 'b c'": "b c a\n",
		"sudo -u root -n echo root":                    "root\n",
		"sudo -n -E printf '%s' \"*\"":                 "*",
		"echo to stderr >&2":                           "to stderr\n",
	} {
		input := ""
		if line == "cat" {
			input = "input"
		}
		if got, err := run(t, c, line, input); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", line, got, err, want)
		}
	}
	var exit *ssh.ExitError
	if _, err := run(t, c, "exit 7", ""); !errors.As(err, &exit) || exit.ExitStatus() != 7 {
		t.Errorf("exit 7: %v", err)
	}
	if _, err := run(t, c, "kill -TERM $$", ""); !errors.As(err, &exit) || exit.Signal() != "TERM" {
		t.Errorf("kill: %v", err)
	}
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("sleep 60 & wait"); err != nil {
		t.Fatal(err)
	}
	if err := s.Signal(ssh.SIGINT); err != nil {
		t.Error(err)
	}
	_ = s.Signal(ssh.SIGKILL)
	if err := s.Wait(); !errors.As(err, &exit) {
		t.Errorf("signal: %v", err)
	}
}

func TestSFTP(t *testing.T) {
	_, spec, c := startBox(t)
	direct, err := sftp.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, _ := s.StdinPipe()
	out, _ := s.StdoutPipe()
	if err := s.Start("exec sudo -n -H -- sh -c 'exec /usr/lib/nowhere/sftp-server'"); err != nil {
		t.Fatal(err)
	}
	sudo, err := sftp.NewClientPipe(out, in)
	if err != nil {
		t.Fatal(err)
	}
	defer sudo.Close()
	for name, client := range map[string]*sftp.Client{"direct": direct, "sudo": sudo} {
		f, err := client.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, name); err != nil {
			t.Error(err)
		}
		f.Close()
		if got, err := os.ReadFile(filepath.Join(openBox(spec.ID).path("home"), name)); err != nil || string(got) != name {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestStopEndsCommands(t *testing.T) {
	for name, c := range map[string]struct {
		line     string
		grace    time.Duration
		min, max time.Duration
	}{
		"polite":   {"trap 'exit 3' TERM; sleep 60 & sleep 0.1; echo ready; wait", 20 * time.Second, 0, 10 * time.Second},
		"stubborn": {"trap '' TERM; echo ready; sleep 60", 300 * time.Millisecond, 290 * time.Millisecond, 5 * time.Second},
		"forced":   {"trap '' TERM; echo ready; sleep 60", 0, 0, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			l, spec, client := startBox(t)
			s, err := client.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Start(c.line); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			if err := l.Stop(t.Context(), spec.ID, c.grace, nil); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(begin); d < c.min || d > c.max {
				t.Errorf("stopping took %s, want %s to %s", d, c.min, c.max)
			}
			if err := s.Wait(); err == nil {
				t.Error("the command has ended well")
			}
		})
	}
}

func TestWrongKey(t *testing.T) {
	l, spec, _ := startBox(t)
	box, err := l.Inspect(t.Context(), spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger := newSpec(t)
	for _, user := range []string{"dev", "root"} {
		_, err = ssh.Dial("tcp", box.SSHAddr, &ssh.ClientConfig{
			User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(stranger)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		})
		if err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
			t.Errorf("user %s with a strange key: %v", user, err)
		}
	}
}

func TestArguments(t *testing.T) {
	t.Setenv("BERTH_PLUGIN_DATA", t.TempDir())
	spec, _ := newSpec(t)
	var arg *provider.ArgError
	none := spec
	none.Image = "none"
	err := (&local{}).Create(t.Context(), none, nil)
	if !errors.As(err, &arg) || arg.Arg != "box.image" || !errors.Is(err, provider.ErrImage) {
		t.Errorf("image none: %v", err)
	}
	limited := spec
	limited.Resources.Swap = new(int64)
	err = (&local{}).Create(t.Context(), limited, nil)
	if !errors.As(err, &arg) || arg.Arg != "box.resources.swap" {
		t.Errorf("limits: %v", err)
	}
	if err := (&local{Crash: "boot"}).Validate(); !errors.As(err, &arg) || arg.Arg != "crash" {
		t.Errorf("crash: %v", err)
	}
	l := &local{FailStart: true}
	if err := l.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := l.Start(t.Context(), spec, nil); err == nil || err.Error() != "fail_start is set" {
		t.Errorf("fail_start: %v", err)
	}
	l = &local{Silent: true}
	defer l.Destroy(t.Context(), spec.ID, nil)
	if err := l.Start(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	box, err := l.Inspect(t.Context(), spec.ID)
	if err != nil || box.State != provider.Running {
		t.Errorf("silent: %+v, %v", box, err)
	}
	if _, err := ssh.Dial("tcp", box.SSHAddr, &ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()}); err == nil ||
		!strings.Contains(err.Error(), "refused") {
		t.Errorf("silent: dial: %v", err)
	}
}
