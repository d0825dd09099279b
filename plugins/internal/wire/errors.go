package wire

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/berth-dev/berth/plugins/internal/pluginpb"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provisioner"
)

// sentinels is the one table of errors that keep their identity across the
// wire. A new sentinel of a contract goes here and into plugin.proto.
var sentinels = []struct {
	code pluginpb.Code
	err  error
}{
	{pluginpb.Code_CODE_CANCELED, context.Canceled},
	{pluginpb.Code_CODE_DEADLINE, context.DeadlineExceeded},
	{pluginpb.Code_CODE_NOT_FOUND, provider.ErrNotFound},
	{pluginpb.Code_CODE_NOT_RUNNING, provider.ErrNotRunning},
	{pluginpb.Code_CODE_UNSUPPORTED, provider.ErrUnsupported},
	{pluginpb.Code_CODE_IMAGE, provider.ErrImage},
	{pluginpb.Code_CODE_CONNECTION, provisioner.ErrConnection},
	{pluginpb.Code_CODE_NO_CHECKPOINT, provider.ErrNoCheckpoint},
}

// errorToPB describes err: its text and all in its chain that has an identity.
func errorToPB(err error) *pluginpb.Error {
	if err == nil {
		return nil
	}
	e := &pluginpb.Error{Text: text(err.Error())}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			e.Codes = append(e.Codes, s.code)
		}
	}
	for _, p := range problems(err) {
		e.Problems = append(e.Problems, &pluginpb.Problem{Code: text(p.Code), Text: text(p.Text), Fix: text(p.Fix)})
	}
	var pa *provider.ArgError
	if errors.As(err, &pa) {
		e.ProviderArg = argToPB(pa.Arg, pa.Err)
	}
	var va *provisioner.ArgError
	if errors.As(err, &va) {
		e.ProvisionerArg = argToPB(va.Arg, va.Err)
	}
	var exit *provisioner.ExitError
	if errors.As(err, &exit) {
		e.Exit = &pluginpb.ExitError{
			Argv: toBytes(exit.Argv), Status: int64(exit.Status), Signal: text(exit.Signal), Stderr: []byte(exit.Stderr),
		}
	}
	return e
}

func argToPB(arg string, err error) *pluginpb.ArgError {
	return &pluginpb.ArgError{Arg: text(arg), Error: errorToPB(err)}
}

// errorFromPB is the other side of errorToPB. An error that had no text of its
// own around the one cause comes back as that cause itself.
func errorFromPB(e *pluginpb.Error) error {
	if e == nil {
		return nil
	}
	var causes []error
	if a := e.GetProviderArg(); a != nil {
		causes = append(causes, &provider.ArgError{Arg: a.GetArg(), Err: causeFromPB(a)})
	}
	if a := e.GetProvisionerArg(); a != nil {
		causes = append(causes, &provisioner.ArgError{Arg: a.GetArg(), Err: causeFromPB(a)})
	}
	for _, p := range e.GetProblems() {
		causes = append(causes, &provider.Problem{Code: p.GetCode(), Text: p.GetText(), Fix: p.GetFix()})
	}
	if x := e.GetExit(); x != nil {
		causes = append(causes, &provisioner.ExitError{
			Argv: fromBytes(x.GetArgv()), Status: int(x.GetStatus()), Signal: x.GetSignal(), Stderr: string(x.GetStderr()),
		})
	}
	for _, s := range sentinels {
		if slices.Contains(e.GetCodes(), s.code) {
			causes = append(causes, s.err)
		}
	}
	for _, c := range causes {
		if c.Error() == e.GetText() && coversCodes(c, e.GetCodes()) {
			return c
		}
	}
	return &farError{text: e.GetText(), causes: causes}
}

// problems returns all problems in err's tree: a host can have several.
func problems(err error) []*provider.Problem {
	if p, ok := err.(*provider.Problem); ok {
		return []*provider.Problem{p}
	}
	var all []*provider.Problem
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		all = problems(err.Unwrap())
	case interface{ Unwrap() []error }:
		for _, e := range err.Unwrap() {
			all = append(all, problems(e)...)
		}
	}
	return all
}

// causeFromPB returns what an ArgError wraps; never nil, on which its Error
// method would panic.
func causeFromPB(a *pluginpb.ArgError) error {
	if err := errorFromPB(a.GetError()); err != nil {
		return err
	}
	return errors.New("is not valid")
}

// coversCodes reports whether err alone has the identity of all codes.
func coversCodes(err error, codes []pluginpb.Code) bool {
	for _, s := range sentinels {
		if slices.Contains(codes, s.code) && !errors.Is(err, s.err) {
			return false
		}
	}
	return true
}

// farError is an error of the other process.
type farError struct {
	text   string
	causes []error
}

func (e *farError) Error() string   { return e.text }
func (e *farError) Unwrap() []error { return e.causes }

// text makes s fit for a string field, which must be UTF-8.
func text(s string) string { return strings.ToValidUTF8(s, "�") }

func toBytes(ss []string) [][]byte {
	var bs [][]byte
	for _, s := range ss {
		bs = append(bs, []byte(s))
	}
	return bs
}

func fromBytes(bs [][]byte) []string {
	var ss []string
	for _, b := range bs {
		ss = append(ss, string(b))
	}
	return ss
}
