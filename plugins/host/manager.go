package host

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/berth-dev/berth/plugins/internal/wire"
)

// Options say where plugins are and what they get.
type Options struct {
	DataHome string       // data home; a provider NAME gets DataHome/provider/NAME as its data folder
	Project  string       // working directory of the plugins; "" is "/"
	Log      *slog.Logger // debug log; nil discards
	Path     string       // value of $BERTH_PLUGIN_PATH
	Self     string       // the berth binary, for built-in plugins; "" is os.Executable

	// Builtin tells whether `Self plugin serve KIND NAME` works. Nil: never.
	Builtin func(kind, name string) bool
	// BuiltinNames lists these names, for List and for suggestions. It may be nil.
	BuiltinNames func(kind string) []string

	StartTimeout time.Duration // 0 is 10 s
	EndGrace     time.Duration // time that Close gives plugins to end; 0 is 2 s
}

// ErrClosed is the error of calls after [Manager.Close].
var ErrClosed = errors.New("the plugins have been closed")

// Manager starts each plugin at its first use and ends all of them at Close. It
// can be used by several goroutines.
type Manager struct {
	o Options

	mu        sync.Mutex
	closed    bool
	entries   map[key]*entry
	processes map[*process]bool
	sockets   *socketDir // made with the first plugin
	starting  sync.WaitGroup
}

type key struct{ kind, name string }

// entry is a plugin that is starting, runs, or could not be started. An error
// stays: the other boxes of a command need not wait for it again.
type entry struct {
	done chan struct{} // closed when run and err are set
	run  *running
	err  error
}

// dead reports whether the plugin has run and ended.
func (e *entry) dead() bool {
	select {
	case <-e.done:
		return e.run != nil && e.run.process.exited()
	default:
		return false
	}
}

// New returns a manager that has started nothing yet.
func New(o Options) *Manager {
	if o.Project == "" {
		o.Project = "/"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = 10 * time.Second
	}
	if o.EndGrace == 0 {
		o.EndGrace = 2 * time.Second
	}
	return &Manager{o: o, entries: map[key]*entry{}, processes: map[*process]bool{}}
}

// Provider returns the provider plugin of that name, started if need be. An
// unknown name gives a [*NotFoundError].
func (m *Manager) Provider(ctx context.Context, name string) (*Provider, error) {
	r, err := m.get(ctx, key{wire.Provider, name})
	if err != nil {
		return nil, err
	}
	return &Provider{r}, nil
}

// Provisioner returns the provisioner plugin of that name, started if need be.
// An unknown name gives a [*NotFoundError].
func (m *Manager) Provisioner(ctx context.Context, name string) (*Provisioner, error) {
	r, err := m.get(ctx, key{wire.Provisioner, name})
	if err != nil {
		return nil, err
	}
	return &Provisioner{r}, nil
}

// get returns the running plugin. Callers that come during the start share it;
// ctx ends only the caller's own wait. A plugin that has died is started anew.
func (m *Manager) get(ctx context.Context, k key) (*running, error) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, ErrClosed
	}
	e := m.entries[k]
	if e == nil || e.dead() {
		e = &entry{done: make(chan struct{})}
		m.entries[k] = e
		m.starting.Add(1)
		go func() {
			defer m.starting.Done()
			defer close(e.done)
			e.run, e.err = m.start(k)
		}()
	}
	m.mu.Unlock()
	select {
	case <-e.done:
		return e.run, e.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// register notes a process that is about to start, so that Close can end it.
// It returns the folder for the sockets.
func (m *Manager) register(p *process) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return "", ErrClosed
	}
	if m.sockets == nil {
		d, err := newSocketDir(os.Getenv("XDG_RUNTIME_DIR"), os.TempDir())
		if err != nil {
			return "", err
		}
		m.sockets = d
	}
	m.processes[p] = true
	return m.sockets.path, nil
}

func (m *Manager) forget(p *process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.processes, p)
}

// Processes returns the numbers of the plugins' processes that run.
func (m *Manager) Processes() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	var pids []int
	for p := range m.processes {
		if p.hasStarted() {
			pids = append(pids, p.cmd.Process.Pid)
		}
	}
	return pids
}

func (m *Manager) isClosed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

// Close ends all plugins: it cuts their lifelines, and kills those that have not
// ended after the grace. Calls under way end with an error that is [ErrClosed].
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	var all sync.WaitGroup
	for p := range m.processes {
		all.Go(func() { p.end(m.o.EndGrace) })
	}
	m.mu.Unlock()
	all.Wait()
	m.starting.Wait() // without a process, a start ends by itself

	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.run != nil {
			all.Go(e.run.client.Kill) // frees what go-plugin holds; the process is gone
		}
	}
	all.Wait()
	clear(m.entries)
	if m.sockets != nil {
		m.sockets.remove()
		m.sockets = nil
	}
}
