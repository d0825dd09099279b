package lxc

import (
	"context"
	"os"
	"testing"
	"time"
)

// lxc-stop, which waits for ever for what does not end, is not waited for as long:
// but whoever gives up earlier is told so.
func TestStopGivesUp(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/lxc-stop", []byte("#!/bin/sh\nexec /bin/sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	defer func(before time.Duration) { stopPatience = before }(stopPatience)
	stopPatience = 200 * time.Millisecond
	tools := lxcTools{store: store{root: t.TempDir()}}
	if err := tools.stop(t.Context(), "b1", 0); err != nil {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := tools.stop(ctx, "b1", time.Minute); err == nil {
		t.Error("a call that was given up says that the box was halted")
	}
}
