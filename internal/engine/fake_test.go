package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/internal/ui"
	"github.com/berth-dev/berth/provider"
)

// fake is a provider whose boxes are entries of a map, with a provisioner "note"
// that takes a text.
type fake struct {
	provider.Provider // what is not faked panics

	mu    sync.Mutex
	boxes map[string]provider.Box
	calls []string // "stop web"
	on    func(ctx context.Context, call string) error
}

func (f *fake) call(ctx context.Context, op, id string) error {
	f.mu.Lock()
	f.calls = append(f.calls, op+" "+id)
	f.mu.Unlock()
	if f.on != nil {
		return f.on(ctx, op+" "+id)
	}
	return nil
}

func (f *fake) Check(context.Context) error { return nil }

func (f *fake) Inspect(ctx context.Context, id string) (provider.Box, error) {
	if err := f.call(ctx, "inspect", id); err != nil {
		return provider.Box{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.boxes[id]
	if !ok {
		return b, provider.ErrNotFound
	}
	return b, nil
}

func (f *fake) Stop(ctx context.Context, id string, _ time.Duration, _ provider.Report) error {
	return f.call(ctx, "stop", id)
}

func (f *fake) Destroy(ctx context.Context, id string, _ provider.Report) error {
	return f.call(ctx, "destroy", id)
}

func (f *fake) Bind([]byte) provider.Provider { return f }

func (f *fake) Decode(body hcl.Body, ctx *hcl.EvalContext) ([]byte, hcl.Diagnostics) {
	v, diags := hcldec.Decode(body, hcldec.ObjectSpec{"text": &hcldec.AttrSpec{Name: "text", Type: cty.String}}, ctx)
	if diags.HasErrors() || !v.IsWhollyKnown() {
		return nil, diags
	}
	if v = v.GetAttr("text"); v.IsNull() {
		return []byte("{}"), nil
	}
	args, err := json.Marshal(v.AsString())
	if err != nil {
		panic(err) // strings have a form in JSON
	}
	return args, nil
}

func (f *fake) Validate(_ context.Context, args []byte) error {
	if bytes.Contains(args, []byte("invalid")) {
		return errors.New("invalid")
	}
	return nil
}

// plugins gives out one fake as everything.
type plugins struct{ f *fake }

func (p plugins) Provider(context.Context, string) (ProviderPlugin, error) { return p.f, nil }
func (p plugins) Provisioner(context.Context, string) (ProvisionerPlugin, error) {
	return note{fake: p.f}, nil
}

// note is the provisioner.
type note struct {
	ProvisionerPlugin // what is not faked panics
	fake              *fake
}

func (n note) Decode(body hcl.Body, ctx *hcl.EvalContext) ([]byte, hcl.Diagnostics) {
	return n.fake.Decode(body, ctx)
}
func (n note) Validate(ctx context.Context, args []byte) error  { return n.fake.Validate(ctx, args) }
func (n note) Identity() (string, error)                        { return "note", nil }
func (n note) Inputs(context.Context, []byte) ([]string, error) { return nil, nil }

// newEngine returns an engine for an Envfile, all of whose boxes run, and what
// it says.
func newEngine(t *testing.T, src string) (*Engine, *fake, *bytes.Buffer) {
	t.Helper()
	root := t.TempDir()
	e := &Engine{UI: &ui.UI{}}
	out := &bytes.Buffer{}
	e.UI.Err = out
	e.Envfile = parse(t, root, src)
	home, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e.Home = home
	if e.Project, err = home.EnsureProject(root); err != nil {
		t.Fatal(err)
	}
	f := &fake{boxes: map[string]provider.Box{}}
	e.Plugins = plugins{f}
	for _, b := range e.Envfile.Boxes {
		f.boxes[record(t, e, b.Name).ID] = provider.Box{State: provider.Running, SSHAddr: "10.0.0.1:22"}
	}
	return e, f, out
}

// record makes the record of a box and names the box by its id, so that calls
// can be told apart.
func record(t *testing.T, e *Engine, name string) *state.Record {
	t.Helper()
	id, err := e.Home.BoxID(e.Project.ID, e.Envfile.Project.Name, name)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := e.Home.EnsureKeys(id)
	if err != nil {
		t.Fatal(err)
	}
	r := &state.Record{
		ID: id, ProjectID: e.Project.ID, Project: "p", Root: e.Envfile.Root, Name: name, Provider: "fake", Image: "x",
		Created: time.Now(), Made: true, Entered: true, SSH: state.SSH{Addr: "10.0.0.1:22", User: "dev", HostKey: keys.HostPublic},
	}
	if err := e.Home.Save(r); err != nil {
		t.Fatal(err)
	}
	return r
}

func parse(t *testing.T, root, src string) *config.Envfile {
	t.Helper()
	src = "project { name = \"p\" }\ndefaults {\n  image = \"x\"\n  provider \"fake\" {}\n}\n" + src
	e, diags := config.Parse([]config.Source{{Name: "Envfile", Bytes: []byte(src)}}, root, config.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return e
}
