package wire

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-plugin"

	"github.com/berth-dev/berth/provider"
)

// fakeProvider records what it is called with and answers what it is told to.
type fakeProvider struct {
	Text string `hcl:"text,optional"`

	seen *recorded
}

type recorded struct {
	text   string
	spec   provider.Spec
	id     string
	grace  time.Duration
	events []provider.Event
	box    provider.Box
	logs   []provider.Log
	limits provider.Resources
	hosts  []provider.Host
	hops   []provider.Hop
	image  provider.Image
	key    string
	kept   []provider.Checkpoint
	uses   []provider.Use
	what   provider.Collection
	file   string
	from   provider.Import
	err    error
	block  bool
}

// noting keeps a cancelled call, which may still be ending, and the next apart.
var noting sync.Mutex

func note(f func()) {
	noting.Lock()
	defer noting.Unlock()
	f()
}

func (f *fakeProvider) answer(ctx context.Context, report provider.Report) error {
	note(func() { f.seen.text = f.Text })
	for _, e := range f.seen.events {
		report(e)
	}
	if f.seen.block {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.seen.err
}

func (f *fakeProvider) Check(ctx context.Context) error { return f.answer(ctx, nil) }
func (f *fakeProvider) Create(ctx context.Context, s provider.Spec, r provider.Report) error {
	note(func() { f.seen.spec = s })
	return f.answer(ctx, r)
}
func (f *fakeProvider) Start(ctx context.Context, s provider.Spec, r provider.Report) error {
	note(func() { f.seen.spec = s })
	return f.answer(ctx, r)
}
func (f *fakeProvider) Stop(ctx context.Context, id string, grace time.Duration, r provider.Report) error {
	note(func() { f.seen.id, f.seen.grace = id, grace })
	return f.answer(ctx, r)
}
func (f *fakeProvider) Destroy(ctx context.Context, id string, r provider.Report) error {
	note(func() { f.seen.id = id })
	return f.answer(ctx, r)
}
func (f *fakeProvider) Inspect(_ context.Context, id string) (provider.Box, error) {
	note(func() { f.seen.id = id })
	return f.seen.box, f.seen.err
}
func (f *fakeProvider) Logs(_ context.Context, id string) ([]provider.Log, error) {
	note(func() { f.seen.id = id })
	return f.seen.logs, f.seen.err
}

// capableProvider has the capabilities besides.
type capableProvider struct {
	Text string `hcl:"text,optional"`
	*fakeProvider
}

func (f capableProvider) Suspend(_ context.Context, id string) error {
	note(func() { f.seen.id = "suspended " + id })
	return f.seen.err
}
func (f capableProvider) Resume(_ context.Context, id string) error {
	note(func() { f.seen.id = "resumed " + id })
	return f.seen.err
}
func (f capableProvider) Resize(_ context.Context, id string, r provider.Resources) error {
	note(func() { f.seen.id, f.seen.limits = id, r })
	return f.seen.err
}
func (f capableProvider) SetHosts(_ context.Context, id string, hosts []provider.Host) error {
	note(func() { f.seen.id, f.seen.hosts = id, hosts })
	return f.seen.err
}

func (f capableProvider) Examine(context.Context) ([]provider.Hop, error) {
	note(func() { f.seen.text = f.Text })
	return f.seen.hops, f.seen.err
}
func (f capableProvider) FetchImage(ctx context.Context, name string, r provider.Report) error {
	note(func() { f.seen.id = name })
	f.fakeProvider.Text = f.Text
	return f.answer(ctx, r)
}
func (f capableProvider) Image(_ context.Context, name string) (provider.Image, error) {
	note(func() { f.seen.id, f.seen.text = name, f.Text })
	return f.seen.image, f.seen.err
}
func (f capableProvider) Checkpoint(ctx context.Context, id, key string, r provider.Report) error {
	note(func() { f.seen.id, f.seen.key = id, key })
	return f.answer(ctx, r)
}
func (f capableProvider) Restore(ctx context.Context, spec provider.Spec, key string, r provider.Report) error {
	note(func() { f.seen.spec, f.seen.key = spec, key })
	return f.answer(ctx, r)
}
func (f capableProvider) Checkpoints(context.Context) ([]provider.Checkpoint, error) {
	return f.seen.kept, f.seen.err
}
func (f capableProvider) RemoveCheckpoint(_ context.Context, key string) error {
	note(func() { f.seen.key = key })
	return f.seen.err
}

func (f capableProvider) Space(context.Context) ([]provider.Use, error) {
	return f.seen.uses, f.seen.err
}
func (f capableProvider) Collect(ctx context.Context, c provider.Collection, removed func(provider.Use), r provider.Report) error {
	note(func() { f.seen.what = c })
	for _, u := range f.seen.uses {
		removed(u)
	}
	return f.answer(ctx, r)
}
func (f capableProvider) Package(ctx context.Context, id, file string, r provider.Report) error {
	note(func() { f.seen.id, f.seen.file = id, file })
	return f.answer(ctx, r)
}
func (f capableProvider) ImportImage(ctx context.Context, i provider.Import, r provider.Report) error {
	note(func() { f.seen.from = i })
	f.fakeProvider.Text = f.Text
	return f.answer(ctx, r)
}

// dialProvider puts a fake behind real gRPC.
func dialProvider(t *testing.T) (*ProviderClient, *recorded) {
	t.Helper()
	seen := &recorded{}
	return dialTo(t, func() provider.Provider { return &fakeProvider{Text: "default", seen: seen} }), seen
}

func dialTo(t *testing.T, construct func() provider.Provider) *ProviderClient {
	t.Helper()
	set := ProviderSet(construct)
	client, _ := plugin.TestPluginGRPCConn(t, false, set)
	t.Cleanup(func() { client.Close() }) // it ends the server as well
	raw, err := client.Dispense(Provider)
	if err != nil {
		t.Fatal(err)
	}
	return raw.(*ProviderClient)
}

// capabilities are the methods that the host's side of a provider has beyond
// provider.Provider.
type capabilities interface {
	provider.Suspender
	provider.Resizer
	provider.Namer
	provider.Examiner
	provider.Imager
	provider.Checkpointer
	provider.Janitor
	provider.Packager
}

func TestCapabilities(t *testing.T) {
	seen := &recorded{}
	c := dialTo(t, func() provider.Provider { return &capableProvider{fakeProvider: &fakeProvider{seen: seen}} })
	p := c.Bind([]byte(`{"text":"bound"}`)).(capabilities)
	limits, hosts, spec := filled[provider.Resources](t), filled[[]provider.Host](t), filled[provider.Spec](t)
	what, from := filled[provider.Collection](t), filled[provider.Import](t)
	calls := []struct {
		call func() error
		want recorded
	}{
		{func() error { return p.Suspend(t.Context(), "box-1") }, recorded{id: "suspended box-1"}},
		{func() error { return p.Resume(t.Context(), "box-2") }, recorded{id: "resumed box-2"}},
		{func() error { return p.Resize(t.Context(), "box-3", limits) }, recorded{id: "box-3", limits: limits}},
		{func() error { return p.SetHosts(t.Context(), "box-4", hosts) }, recorded{id: "box-4", hosts: hosts}},
		{func() error { _, err := p.Examine(t.Context()); return err }, recorded{text: "bound"}},
		{func() error { return p.FetchImage(t.Context(), "image-1", nil) }, recorded{id: "image-1", text: "bound"}},
		{func() error { _, err := p.Image(t.Context(), "image-2"); return err }, recorded{id: "image-2", text: "bound"}},
		{func() error { return p.Checkpoint(t.Context(), "box-5", "key-5", nil) }, recorded{id: "box-5", key: "key-5"}},
		{func() error { return p.Restore(t.Context(), spec, "key-6", nil) }, recorded{spec: spec, key: "key-6"}},
		{func() error { return p.RemoveCheckpoint(t.Context(), "key-7") }, recorded{key: "key-7"}},
		{func() error { _, err := p.Checkpoints(t.Context()); return err }, recorded{}},
		{func() error { _, err := p.Space(t.Context()); return err }, recorded{}},
		{func() error { return p.Collect(t.Context(), what, nil, nil) }, recorded{what: what}},
		{func() error { return p.Package(t.Context(), "box-8", "file\xff", nil) }, recorded{id: "box-8", file: "file\xff"}},
		{func() error { return p.ImportImage(t.Context(), from, nil) }, recorded{from: from, text: "bound"}},
	}
	for _, want := range calls {
		*seen = recorded{}
		if err := want.call(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want.want, *seen, cmp.AllowUnexported(recorded{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		seen.err = provider.ErrNotRunning
		if err := want.call(); !errors.Is(err, provider.ErrNotRunning) {
			t.Errorf("%v, want ErrNotRunning", err)
		}
	}
	*seen = recorded{kept: filled[[]provider.Checkpoint](t)}
	kept, err := p.Checkpoints(t.Context())
	if diff := cmp.Diff(seen.kept, kept); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	uses := filled[[]provider.Use](t)
	uses[0].Kind, uses[1].Kind = provider.UseImage, provider.UseCache
	*seen = recorded{uses: uses}
	got, err := p.Space(t.Context())
	if diff := cmp.Diff(uses, got); diff != "" || err != nil {
		t.Errorf("Space: %v (-want +got):\n%s", err, diff)
	}
	got = nil
	err = p.Collect(t.Context(), what, func(u provider.Use) { got = append(got, u) }, nil)
	if diff := cmp.Diff(uses, got); diff != "" || err != nil {
		t.Errorf("Collect: %v (-want +got):\n%s", err, diff)
	}
	without, _ := dialProvider(t)
	p = without.Bind(nil).(capabilities)
	for _, without := range calls {
		if err := without.call(); !errors.Is(err, provider.ErrUnsupported) {
			t.Errorf("a plugin without the capability: %v, want ErrUnsupported", err)
		}
	}
}

func TestExaminationAndImagesRoundTrip(t *testing.T) {
	seen := &recorded{hops: filled[[]provider.Hop](t), image: filled[provider.Image](t)}
	seen.hops[0].Verdict = provider.Weak
	seen.hops[1].Verdict = "melting"
	p := dialTo(t, func() provider.Provider { return &capableProvider{fakeProvider: &fakeProvider{seen: seen}} }).Bind(nil).(capabilities)
	hops, err := p.Examine(t.Context())
	seen.hops[1].Verdict = provider.Untried
	if diff := cmp.Diff(seen.hops, hops); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	image, err := p.Image(t.Context(), "x")
	if diff := cmp.Diff(seen.image, image); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	seen.events = []provider.Event{{Text: "half", Done: 1, Total: 2}}
	var events []provider.Event
	err = p.FetchImage(t.Context(), "x", func(e provider.Event) { events = append(events, e) })
	if diff := cmp.Diff(seen.events, events); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestProviderRoundTrip(t *testing.T) {
	c, seen := dialProvider(t)
	p := c.Bind([]byte(`{"text":"bound"}`))
	ctx := t.Context()
	spec := filled[provider.Spec](t)
	seen.events = []provider.Event{filled[provider.Event](t), {Text: "second"}}
	var events []provider.Event
	report := func(e provider.Event) { events = append(events, e) }
	same := func(what string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	for name, call := range map[string]func(context.Context, provider.Spec, provider.Report) error{"Create": p.Create, "Start": p.Start} {
		seen.spec, seen.text, events = provider.Spec{}, "", nil
		if err := call(ctx, spec, report); err != nil {
			t.Error(name, err)
		}
		same(name+" spec", seen.spec, spec)
		same(name+" events", events, seen.events)
		same(name+" arguments", seen.text, "bound")
	}
	events = nil
	if err := p.Stop(ctx, "box-1", 17*time.Second, report); err != nil {
		t.Error(err)
	}
	same("Stop", []any{seen.id, seen.grace, events, seen.text}, []any{"box-1", 17 * time.Second, seen.events, "default"})
	events = nil
	if err := p.Destroy(ctx, "box-2", report); err != nil {
		t.Error(err)
	}
	same("Destroy", []any{seen.id, events}, []any{"box-2", seen.events})

	seen.box = filled[provider.Box](t)
	seen.box.State = provider.Frozen
	box, err := p.Inspect(ctx, "box-3")
	same("Inspect", []any{seen.id, box, err}, []any{"box-3", seen.box, nil})

	seen.logs = []provider.Log{filled[provider.Log](t), {Tail: "no utf-8: \xff"}}
	logs, err := p.Logs(ctx, "box-4")
	same("Logs", []any{seen.id, logs, err}, []any{"box-4", seen.logs, nil})
}

func TestZeroAndNilAreKept(t *testing.T) {
	c, seen := dialProvider(t)
	zero := int64(0)
	for _, spec := range []provider.Spec{{}, {Resources: provider.Resources{Swap: &zero}}} {
		if err := c.Bind(nil).Create(t.Context(), spec, nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(spec, seen.spec); diff != "" {
			t.Error(diff)
		}
	}
	seen.box = provider.Box{State: provider.Stopped}
	if box, err := c.Bind(nil).Inspect(t.Context(), ""); err != nil || !cmp.Equal(box, seen.box) || !box.Started.IsZero() {
		t.Errorf("box %+v, %v", box, err)
	}
}

func TestUnknownStateIsUnknown(t *testing.T) {
	c, seen := dialProvider(t)
	for given, want := range map[provider.State]provider.State{
		"melting": provider.Unknown, "": provider.Unknown, "\xff": provider.Unknown,
		provider.Unknown: provider.Unknown, provider.Stopped: provider.Stopped,
		provider.Running: provider.Running, provider.Frozen: provider.Frozen,
	} {
		seen.box = provider.Box{State: given}
		box, err := c.Bind(nil).Inspect(t.Context(), "x")
		if err != nil || box.State != want {
			t.Errorf("state %q arrives as %q, %v; want %q", given, box.State, err, want)
		}
	}
}

func TestProviderErrors(t *testing.T) {
	c, seen := dialProvider(t)
	p := c.Bind(nil)
	arg := &provider.ArgError{Arg: "box.image", Err: provider.ErrImage}
	seen.err = arg
	calls := map[string]func() error{
		"Check":   func() error { return p.Check(t.Context()) },
		"Create":  func() error { return p.Create(t.Context(), provider.Spec{}, nil) },
		"Start":   func() error { return p.Start(t.Context(), provider.Spec{}, nil) },
		"Stop":    func() error { return p.Stop(t.Context(), "x", 0, nil) },
		"Destroy": func() error { return p.Destroy(t.Context(), "x", nil) },
		"Inspect": func() error { _, err := p.Inspect(t.Context(), "x"); return err },
		"Logs":    func() error { _, err := p.Logs(t.Context(), "x"); return err },
	}
	for name, call := range calls {
		got, ok := call().(*provider.ArgError)
		if !ok || got.Arg != arg.Arg || !errors.Is(got, provider.ErrImage) || got.Error() != arg.Error() {
			t.Errorf("%s: %#v, want %#v", name, got, arg)
		}
	}
}

func TestBadConfig(t *testing.T) {
	c, _ := dialProvider(t)
	err := c.Validate(t.Context(), []byte(`{"text":`))
	if err == nil || len(err.Error()) < 10 {
		t.Errorf("error %v", err)
	}
	if err := c.Bind([]byte(`[]`)).Create(t.Context(), provider.Spec{}, nil); err == nil {
		t.Error("Create takes a list for arguments")
	}
}

func TestCancelReachesTheProvider(t *testing.T) {
	c, seen := dialProvider(t)
	seen.block = true
	seen.events = []provider.Event{{Text: "begun"}}
	ctx, cancel := context.WithCancelCause(t.Context())
	err := c.Bind(nil).Create(ctx, provider.Spec{}, func(provider.Event) { cancel(errors.New("for a reason")) })
	if err != context.Canceled {
		t.Errorf("Create: %v, want canceled", err)
	}
	if err := c.Bind(nil).Create(ctx, provider.Spec{}, nil); err != context.Canceled {
		t.Errorf("Create with a cancelled context: %v", err)
	}
	timeout, stop := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer stop()
	seen.events = nil
	if err := c.Bind(nil).Check(timeout); err != context.DeadlineExceeded {
		t.Errorf("Check: %v, want deadline exceeded", err)
	}
	timeout, stop = context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer stop()
	if err := c.Bind(nil).Stop(timeout, "x", 0, nil); err != context.DeadlineExceeded {
		t.Errorf("Stop: %v, want deadline exceeded", err)
	}
}
