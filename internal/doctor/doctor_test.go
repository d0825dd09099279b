package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/berth/internal/guest"
	"github.com/berth-dev/berth/internal/state"
	"github.com/berth-dev/berth/provider"
)

// fakeProvider answers what a test says.
type fakeProvider struct {
	provider.Provider
	box   provider.Box
	err   error
	check error
}

func (f fakeProvider) Inspect(context.Context, string) (provider.Box, error) { return f.box, f.err }
func (f fakeProvider) Check(context.Context) error                           { return f.check }

// examiner is a provider that can examine.
type examiner struct {
	fakeProvider
	hops []provider.Hop
	err  error
}

func (e examiner) Examine(context.Context) ([]provider.Hop, error) { return e.hops, e.err }

type fakeNet struct {
	route  error
	login  error
	logins *int
	target *guest.Target
}

func (f fakeNet) Route(string) (string, error) { return "berth0, from 10.0.0.1", f.route }
func (f fakeNet) Login(_ context.Context, t guest.Target) error {
	*f.logins++
	*f.target = t
	return f.login
}

func wellBox() Box {
	return Box{
		Name: "web", Record: &state.Record{ID: "shop-web-1", Made: true, SSH: state.SSH{Addr: "10.0.0.2:22", User: "dev", HostKey: "pinned"}},
		Keys:     state.Keys{Private: []byte("key")},
		Provider: fakeProvider{box: provider.Box{State: provider.Running, SSHAddr: "10.0.0.2:22"}},
		Net:      fakeNet{logins: new(int), target: new(guest.Target)},
	}
}

func at(stage string) error {
	return &guest.StageError{Stage: stage, Addr: "10.0.0.2:22", Err: errors.New("refused")}
}

func TestBoxes(t *testing.T) {
	state := func(s provider.State) func(*Box) {
		return func(b *Box) { b.Provider = fakeProvider{box: provider.Box{State: s, SSHAddr: "10.0.0.2:22"}} }
	}
	inspect := func(err error) func(*Box) { return func(b *Box) { b.Provider = fakeProvider{err: err} } }
	net := func(route, login error) func(*Box) {
		return func(b *Box) {
			n := b.Net.(fakeNet)
			n.route, n.login = route, login
			b.Net = n
		}
	}
	tested := map[string]bool{ProviderCode: true} // by TestHosts
	for _, sick := range []struct {
		code      string
		harm      func(*Box)
		says, fix string
	}{
		{"BRT-BOX-01", func(b *Box) { b.Record = nil }, "does not exist", "berth up web"},
		{"BRT-BOX-01", func(b *Box) { b.Record.Made = false }, "interrupted", "berth up web"},
		{"BRT-BOX-01", func(b *Box) { b.KeysErr = errors.New("no key") }, "no key", "berth destroy web && berth up web"},
		{"BRT-BOX-02", func(b *Box) { b.Err = errors.New("no plugin") }, "no plugin", ""},
		{"BRT-BOX-02", inspect(provider.ErrNotFound), "is gone", "berth up web"},
		{"BRT-BOX-02", inspect(errors.New("no answer")), "no answer", ""},
		{"BRT-BOX-02", state(provider.Frozen), "suspended", "berth resume web"},
		{"BRT-BOX-02", state(provider.Stopped), "does not run", "berth up web"},
		{"BRT-BOX-03", func(b *Box) { b.Provider = fakeProvider{box: provider.Box{State: provider.Running}} }, "does not know", "berth reload web"},
		{"BRT-BOX-03", func(b *Box) { b.Record.SSH.Addr = "10.0.0.9:22" }, `on record is "10.0.0.9:22"`, "berth up web"},
		{"BRT-BOX-04", net(errors.New("network is unreachable"), nil), "unreachable", "berth reload web"},
		{"BRT-BOX-05", net(nil, at(guest.StageTCP)), "nothing in the box listens", "berth logs web"},
		{"BRT-BOX-06", net(nil, at(guest.StageHandshake)), "not the box's own sshd", "berth reload web"},
		{"BRT-BOX-07", net(nil, at(guest.StageLogin)), "its own key", "Somebody has changed"},
		{"BRT-BOX-05", net(nil, errors.New("bad key")), "bad key", ""},
	} {
		tested[sick.code] = true
		b := wellBox()
		sick.harm(&b)
		s := b.Examine(t.Context())
		if !s.Broken() || len(s.Hops) != len(boxChecks) || s.Of != `box "web"` {
			t.Errorf("%s: %+v", sick.code, s)
		}
		before := true
		for _, h := range s.Hops {
			want := provider.Good
			switch {
			case h.Code == sick.code:
				want, before = provider.Broken, false
				if !strings.Contains(h.Read+"\n"+h.Problem, sick.says) || !strings.HasPrefix(h.Fix, sick.fix) {
					t.Errorf("%s: %+v\nwant %q and %q", sick.code, h, sick.says, sick.fix)
				}
			case !before:
				want = provider.Untried
			}
			if h.Verdict != want || h.Chain != "box" {
				t.Errorf("%s: %+v, want %s", sick.code, h, want)
			}
		}
	}
	for _, c := range Codes() {
		if !tested[c] {
			t.Errorf("no sick box has %s", c)
		}
	}
	b := wellBox()
	if s := b.Examine(t.Context()); s.Broken() || slices.ContainsFunc(s.Hops, func(h provider.Hop) bool { return h.Verdict != provider.Good }) {
		t.Errorf("a box that is well: %+v", s)
	}
	n := b.Net.(fakeNet)
	if *n.logins != 1 || n.target.Addr != "10.0.0.2:22" || n.target.User != "dev" || n.target.HostKey != "pinned" || string(n.target.Key) != "key" {
		t.Errorf("%d logins, the last to %+v", *n.logins, n.target)
	}
}

func TestHosts(t *testing.T) {
	problem := &provider.Problem{Code: "X-01", Text: "no engine", Fix: "push"}
	hop := provider.Hop{Chain: "x", Name: "y", Code: "X-02", Verdict: provider.Weak}
	for name, c := range map[string]struct {
		p    provider.Provider
		err  error
		want []string
	}{
		"no plugin":       {nil, errors.New("it does not start"), []string{"BRT-PRV-01 broken it does not start"}},
		"examines":        {examiner{hops: []provider.Hop{hop}}, nil, []string{"X-02 weak "}},
		"cannot examine":  {examiner{err: errors.New("lost")}, nil, []string{"BRT-PRV-01 broken lost"}},
		"without":         {fakeProvider{}, nil, []string{"BRT-PRV-01 ok "}},
		"of another age":  {examiner{err: fmt.Errorf("x: %w", provider.ErrUnsupported), fakeProvider: fakeProvider{check: problem}}, nil, []string{"X-01 broken no engine"}},
		"with problems":   {fakeProvider{check: errors.Join(problem, &provider.Problem{Code: "X-03", Text: "no wheel"})}, nil, []string{"X-01 broken no engine", "X-03 broken no wheel"}},
		"a wrapped one":   {fakeProvider{check: fmt.Errorf("check: %w", problem)}, nil, []string{"X-01 broken no engine"}},
		"without a code":  {fakeProvider{check: errors.New("no shell")}, nil, []string{"BRT-PRV-01 broken no shell"}},
		"several without": {fakeProvider{check: errors.Join(errors.New("a"), errors.New("b"))}, nil, []string{"BRT-PRV-01 broken a\nb"}},
	} {
		s := Host(t.Context(), "lxc", c.p, c.err)
		var got []string
		for _, h := range s.Hops {
			got = append(got, h.Code+" "+string(h.Verdict)+" "+h.Problem)
		}
		if !slices.Equal(got, c.want) || s.Of != `provider "lxc"` {
			t.Errorf("%s: %s: %q, want %q", name, s.Of, got, c.want)
		}
	}
}

func TestNetwork(t *testing.T) {
	if via, err := (Network{}).Route("127.0.0.1:22"); err != nil || via != "lo, from 127.0.0.1" {
		t.Errorf("route: %q, %v", via, err)
	}
	var at *guest.StageError
	if err := (Network{}).Login(t.Context(), guest.Target{Addr: "127.0.0.1:1"}); !errors.As(err, &at) || at.Stage != guest.StageTCP {
		t.Errorf("login where nothing listens: %v", err)
	}
}
