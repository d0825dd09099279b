package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/berth-dev/berth/plugins/internal/pluginpb"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provisioner"
)

// cross sends err through the bytes of the wire.
func cross(t *testing.T, err error) error {
	t.Helper()
	b, e := proto.Marshal(errorToPB(err))
	if e != nil {
		t.Fatal(e)
	}
	var m pluginpb.Error
	if e := proto.Unmarshal(b, &m); e != nil {
		t.Fatal(e)
	}
	return errorFromPB(&m)
}

func TestEverySentinelSurvives(t *testing.T) {
	for _, s := range sentinels {
		if got := cross(t, s.err); got != s.err {
			t.Errorf("%v arrives as %#v", s.err, got)
		}
		wrapped := fmt.Errorf("look up %q: %w", "x", s.err)
		got := cross(t, wrapped)
		if got.Error() != wrapped.Error() {
			t.Errorf("text %q, want %q", got, wrapped)
		}
		for _, other := range sentinels {
			if errors.Is(got, other.err) != (other.err == s.err) {
				t.Errorf("errors.Is(%v, %v) = %v", got, other.err, errors.Is(got, other.err))
			}
		}
	}
	if len(sentinels) != len(pluginpb.Code_name)-1 {
		t.Errorf("%d sentinels and %d codes", len(sentinels), len(pluginpb.Code_name)-1)
	}
}

func TestTypedErrorsSurvive(t *testing.T) {
	exit := filled[provisioner.ExitError](t)
	exit.Argv = append(exit.Argv, "no utf-8: \xff")
	got := cross(t, fmt.Errorf("configure: %w", &exit))
	var gotExit *provisioner.ExitError
	if !errors.As(got, &gotExit) {
		t.Fatalf("%#v has no ExitError", got)
	}
	if diff := cmp.Diff(&exit, gotExit); diff != "" {
		t.Error(diff)
	}
	plain := &provisioner.ExitError{Argv: []string{"false"}, Status: 1}
	if diff := cmp.Diff(error(plain), cross(t, plain)); diff != "" {
		t.Error(diff)
	}

	arg := &provisioner.ArgError{Arg: "text", Err: fmt.Errorf("look: %w", context.Canceled)}
	var gotArg *provisioner.ArgError
	if got := cross(t, arg); !errors.As(got, &gotArg) || gotArg.Arg != "text" || got.Error() != arg.Error() || !errors.Is(got, context.Canceled) {
		t.Errorf("%#v, want %#v", got, arg)
	}
	var wrongKind *provider.ArgError
	if errors.As(cross(t, arg), &wrongKind) {
		t.Error("the ArgError of a provisioner arrives as one of a provider")
	}
	bare := &pluginpb.Error{Text: "raw: no", ProviderArg: &pluginpb.ArgError{Arg: "raw"}}
	var noCause *provider.ArgError
	if !errors.As(errorFromPB(bare), &noCause) || noCause.Err == nil {
		t.Errorf("an ArgError without a cause arrives as %#v", noCause)
	}
}

func TestJoinedErrorsSurvive(t *testing.T) {
	joined := errors.Join(context.Canceled, provider.ErrImage, errors.New("and \xff more"))
	got := cross(t, joined)
	if !errors.Is(got, context.Canceled) || !errors.Is(got, provider.ErrImage) || errors.Is(got, provider.ErrNotFound) {
		t.Errorf("%#v", got)
	}
	if want := strings.ToValidUTF8(joined.Error(), "�"); got.Error() != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if errorFromPB(errorToPB(nil)) != nil {
		t.Error("no error arrives as one")
	}
	if got := errorFromPB(&pluginpb.Error{Text: "new", Codes: []pluginpb.Code{999}}); got.Error() != "new" {
		t.Errorf("an unknown code: %v", got)
	}
}

func TestProblemsSurvive(t *testing.T) {
	one, two := filled[provider.Problem](t), &provider.Problem{Code: "B-02", Text: "second"}
	if diff := cmp.Diff(error(&one), cross(t, &one)); diff != "" {
		t.Error(diff)
	}
	err := fmt.Errorf("check: %w", errors.Join(&one, two, errors.New("plain")))
	got := cross(t, err)
	if got.Error() != err.Error() {
		t.Errorf("text %q, want %q", got, err)
	}
	if diff := cmp.Diff([]*provider.Problem{&one, two}, problems(got)); diff != "" {
		t.Error(diff)
	}
}
