package guest

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// A slowReader takes output as a person with a pager does.
type slowReader struct {
	first, each time.Duration
	got         int
}

func (w *slowReader) Write(b []byte) (int, error) {
	if w.got == 0 {
		time.Sleep(w.first)
	}
	time.Sleep(w.each)
	w.got += len(b)
	return len(b), nil
}

var hasty = patience{idle: 200 * time.Millisecond, limit: time.Second}

// Output that has come is written however long that takes.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	_, g, _ := local(t)
	c := g.(*box).client
	c.patience = hasty
	for name, x := range map[string]struct {
		w    slowReader
		size int
		text string
	}{
		"pauses":                              {slowReader{first: time.Second}, 300000, "head -c 300000 /dev/zero"},
		"takes longer than all of the limits": {slowReader{each: 50 * time.Millisecond}, 1900000, "head -c 1900000 /dev/zero"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := c.Session(t.Context(), SessionOptions{Command: x.text, Stdout: &x.w}); err != nil || x.w.got != x.size {
				t.Errorf("%d of %d bytes, %v", x.w.got, x.size, err)
			}
		})
	}
}

// What a daemon writes after its command has ended is not waited for without end.
func TestChattyDaemon(t *testing.T) {
	t.Parallel()
	_, g, _ := local(t)
	c := g.(*box).client
	c.patience = hasty
	start := time.Now()
	err := c.Session(t.Context(), SessionOptions{Command: "(while sleep 0.1; do echo still there || exit; done) &"})
	if took := time.Since(start); err != nil || took < hasty.limit/2 || took > 10*hasty.limit {
		t.Errorf("%v after %s", err, took)
	}
}

func TestStuckReader(t *testing.T) {
	t.Parallel()
	_, g, _ := local(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stuck := make(chan bool)
	defer close(stuck)
	time.AfterFunc(2*time.Second, cancel)
	start := time.Now()
	err := g.(*box).client.Session(ctx, SessionOptions{Command: "echo hello", Stdout: writerFunc(func(b []byte) (int, error) { <-stuck; return len(b), nil })})
	if took := time.Since(start); err != context.Canceled || took < 2*time.Second || took > 10*time.Second {
		t.Errorf("%v after %s", err, took)
	}
}

// What is typed once a command has ended is for the next one.
func TestInputOfTheNext(t *testing.T) {
	t.Parallel()
	_, g, _ := local(t)
	c := g.(*box).client
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 3 {
		if err := c.Session(t.Context(), SessionOptions{Command: "true", Stdin: r}); err != nil {
			t.Error(err)
		}
	}
	go func() {
		for _, text := range []string{"a", "bc", "d"} {
			time.Sleep(200 * time.Millisecond)
			w.WriteString(text)
		}
		w.Close()
	}()
	var out strings.Builder
	if err := c.Session(t.Context(), SessionOptions{Command: "cat", Stdin: r, Stdout: &out}); err != nil || out.String() != "abcd" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
