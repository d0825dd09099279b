package providertest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/berth/provider"
)

// ctx returns a context that ends with the test, and long before its limit.
func ctx(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// quick fails the test if a call that has nothing to do fails or takes long.
func quick(t *testing.T, what string, call func() error) {
	t.Helper()
	begin := time.Now()
	if err := call(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if d := time.Since(begin); d > soon {
		t.Errorf("%s took %s", what, d)
	}
}

// events checks what a call reports.
type events struct {
	mu  sync.Mutex
	all []provider.Event
}

func (e *events) report(event provider.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) verify(t *testing.T) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.Text == "" || strings.HasSuffix(event.Text, ".") || strings.Contains(event.Text, "\n") {
			t.Errorf("event text %q: want one line without a final dot", event.Text)
		}
		if event.Done < 0 || event.Total < 0 || event.Total > 0 && event.Done > event.Total {
			t.Errorf("event %q: %d of %d is done", event.Text, event.Done, event.Total)
		}
	}
}

// destroyAtTheEnd sees to it that no box is left, whatever happens. It is called
// before any is made.
func (s *suite) destroyAtTheEnd(t *testing.T) {
	p := s.open(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
		defer cancel()
		for _, id := range []string{s.spec.ID, s.spec.ID + twins[0], s.spec.ID + twins[1], s.spec.ID + "-c"} {
			if err := p.Destroy(ctx, id, nil); err != nil && !errors.Is(err, provider.ErrNotFound) {
				t.Errorf("destroy box %s at the end: %v", id, err)
			}
		}
	})
}
