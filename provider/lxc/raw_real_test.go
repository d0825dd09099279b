package lxc

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/berth/provider"
)

// A value that LXC does not take is said to be the cause, and a box that was started
// with it can be looked at, started, kept and restored once it is corrected.
func TestRealRawWrong(t *testing.T) {
	p, spec := realProvider(t)
	c := churner{t, p, spec}
	if err := p.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	p.Raw = map[string]string{"lxc.prlimit.nofile": "lots"}
	err := p.Start(t.Context(), spec, nil)
	t.Log(err)
	var arg *provider.ArgError
	if !errors.As(err, &arg) || arg.Arg != "raw.lxc.prlimit.nofile" || !strings.Contains(err.Error(), `"lots"`) || strings.Contains(err.Error(), "lxc-info") {
		t.Errorf("the start with a wrong value: %v", err)
	}
	if b, err := p.Inspect(t.Context(), spec.ID); err != nil || b.State != provider.Stopped {
		t.Errorf("Inspect: %v, %v", b.State, err)
	}
	c.keep("key")
	if err := p.Stop(t.Context(), spec.ID, time.Second, nil); err != nil {
		t.Error(err)
	}
	if err := p.Restore(t.Context(), spec, "key", nil); err != nil {
		t.Error(err)
	}
	p.Raw = nil
	c.start()
}

// What else keeps lxc-info from an answer says nothing of the box.
func TestInfoWithoutLXC(t *testing.T) {
	s := store{root: t.TempDir()}
	if err := writeJSON(s.file("b1", "config"), ""); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	if state, _, err := (lxcTools{store: s}).info(context.Background(), "b1"); err == nil {
		t.Errorf("without lxc-info the box is %s", state)
	}
}
