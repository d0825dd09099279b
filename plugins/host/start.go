package host

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/berth-dev/berth/plugins/internal/wire"
	"github.com/berth-dev/berth/provider"
)

// start starts a plugin and fetches its schema.
func (m *Manager) start(k key) (*running, error) {
	path, args, err := m.find(k)
	if err != nil {
		return nil, err
	}
	env, err := m.environment(k)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = m.o.Project, env
	p := newProcess(cmd, &output{log: m.o.Log.With("plugin", k.kind+"/"+k.name)})
	sockets, err := m.register(p)
	if err != nil {
		return nil, err
	}
	r := &running{m: m, key: k, process: p, client: m.client(k, p, sockets), builtin: len(args) > 0}
	r.digest = sync.OnceValues(func() (string, error) { return fileDigest(path) })
	if err := r.connect(); err != nil {
		_ = p.Kill(context.Background()) // an error means that it is gone
		if p.hasStarted() {
			<-p.done
		}
		m.forget(p)
		r.client.Kill()
		if m.isClosed() {
			return nil, ErrClosed
		}
		return nil, r.explain(err, m.o)
	}
	return r, nil
}

// client configures go-plugin. No AutoMTLS: the sockets are in a folder of mode
// 0700, and making certificates takes several times as long as all the rest.
func (m *Manager) client(k key, p *process, sockets string) *plugin.Client {
	set := wire.ProviderSet(nil)
	if k.kind == wire.Provisioner {
		set = wire.ProvisionerSet(nil)
	}
	return plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake,
		Plugins:          set,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		StartTimeout:     m.o.StartTimeout,
		SkipHostEnv:      true,
		Logger:           hclog.NewNullLogger(), // errors reach us; output is read by process
		GRPCDialOptions:  wire.DialOptions(),
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: sockets},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
			p.cmd.Env = append(p.cmd.Env, spec.Env...)
			return p, nil
		},
	})
}

// connect starts the process, shakes hands and fetches the schema.
func (r *running) connect() error {
	conn, err := r.client.Client()
	if err != nil {
		return err
	}
	raw, err := conn.Dispense(r.key.kind)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.m.o.StartTimeout)
	defer cancel()
	var schema *wire.Schema
	switch c := raw.(type) {
	case *wire.ProviderClient:
		c.Lost, r.provider = r.lost, c
		schema, err = c.Schema(ctx)
	case *wire.ProvisionerClient:
		c.Lost, r.provisioner = r.lost, c
		schema, err = c.Schema(ctx)
	}
	if err != nil {
		return &schemaError{err}
	}
	r.spec = specOf(schema)
	return nil
}

// schemaError is an error of a plugin that speaks our protocol already.
type schemaError struct{ err error }

func (e *schemaError) Error() string { return e.err.Error() }
func (e *schemaError) Unwrap() error { return e.err }

// explain turns the error of connect into one that says what is wrong with the
// plugin; go-plugin's own texts only list what might be.
func (r *running) explain(err error, o Options) error {
	p := r.process
	e := &StartError{Kind: r.key.kind, Name: r.key.name, Path: p.cmd.Path, Log: p.output.tail()}
	var schema *schemaError
	var died *PluginError
	line := p.first.line()
	switch {
	case !p.hasStarted():
		e.Reason = whyNotExecuted(p.cmd, err)
	case errors.As(err, &died):
		e.Reason = "ended before it was ready: " + died.Status
	case errors.As(err, &schema) && errors.Is(err, provider.ErrUnsupported):
		e.Reason = fmt.Sprintf("is a Berth plugin, but not a %s", r.key.kind)
	case errors.As(err, &schema) && errors.Is(err, context.DeadlineExceeded):
		e.Reason = fmt.Sprintf("did not answer in %s", o.StartTimeout)
	case errors.As(err, &schema):
		e.Reason = "cannot be used: " + err.Error()
	case isHandshake(line):
		e.Reason = whyNotAgreed(line, err)
	case line != "":
		e.Reason = fmt.Sprintf("is not a Berth plugin, or prints before it serves; instead of the handshake it printed %q", line)
	case strings.Contains(err.Error(), "timeout while waiting"):
		e.Reason = fmt.Sprintf("was not ready in %s", o.StartTimeout)
	default:
		// It was still alive at the end of its output only if we killed it.
		e.Reason = "ended before it was ready (is it a Berth plugin?): " + p.status()
	}
	return e
}

// isHandshake reports whether line is a handshake of go-plugin.
func isHandshake(line string) bool {
	return strings.HasPrefix(line, "1|") && strings.Count(line, "|") >= 3
}

// whyNotAgreed explains a handshake that go-plugin did not accept.
func whyNotAgreed(line string, err error) string {
	theirs := strings.Split(line, "|")[1]
	if theirs == fmt.Sprint(wire.Protocol) {
		return "cannot be used: " + err.Error()
	}
	return fmt.Sprintf("speaks version %s of the plugin protocol and this berth speaks %d; install versions of the two that match",
		theirs, wire.Protocol)
}

// whyNotExecuted explains an error of execve(2).
func whyNotExecuted(cmd *exec.Cmd, err error) string {
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		what := "is not a program"
		if f, e := elf.Open(cmd.Path); e == nil {
			what = "is a program for " + strings.TrimPrefix(f.Machine.String(), "EM_")
			f.Close()
		}
		return fmt.Sprintf("%s; this host runs %s", what, runtime.GOARCH)
	case errors.Is(err, fs.ErrNotExist) && !exists(cmd.Dir):
		return fmt.Sprintf("cannot run in %s, which does not exist", cmd.Dir)
	case errors.Is(err, fs.ErrNotExist) && exists(cmd.Path):
		return "needs an interpreter or a dynamic loader that is not there"
	case errors.Is(err, fs.ErrPermission):
		return "may not be executed: " + syscall.EACCES.Error()
	}
	return "cannot be executed: " + err.Error()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// dataDir makes the folder that a provider may fill.
func dataDir(home, name string) (string, error) {
	dir := filepath.Join(home, wire.Provider, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make data folder of provider %q: %w", name, err)
	}
	return dir, nil
}
