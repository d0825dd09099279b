package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestWalk runs random graphs with random failures: order is kept, no more than
// parallel run at once, and exactly those fail that depend on a failure.
func TestWalk(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		n, parallel := 1+rnd.IntN(20), 1+rnd.IntN(5)
		jobs := make([]job, n)
		fails := map[string]bool{}
		for i := range jobs {
			jobs[i].name = fmt.Sprint(i)
			fails[jobs[i].name] = rnd.IntN(6) == 0
			for j := range i {
				if rnd.IntN(5) == 0 {
					jobs[i].after = append(jobs[i].after, fmt.Sprint(j))
				}
			}
		}
		rnd.Shuffle(n, func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
		boom := errors.New("boom")
		var mu sync.Mutex
		active, ended := 0, map[string]bool{}
		errs := walk{parallel: parallel}.run(t.Context(), jobs, func(_ context.Context, name string) error {
			mu.Lock()
			active++
			if active > parallel {
				t.Errorf("seed %d: %d jobs at once, not %d", seed, active, parallel)
			}
			for _, a := range jobs[slices.IndexFunc(jobs, func(j job) bool { return j.name == name })].after {
				if !ended[a] || fails[a] {
					t.Errorf("seed %d: %s ran before %s had succeeded", seed, name, a)
				}
			}
			mu.Unlock()
			time.Sleep(time.Duration(len(name)) * 10 * time.Microsecond)
			mu.Lock()
			defer mu.Unlock()
			active--
			ended[name] = true
			if fails[name] {
				return boom
			}
			return nil
		})
		byName := map[string]error{}
		for i, j := range jobs {
			byName[j.name] = errs[i]
		}
		for i := range n { // in the order of their numbers, those before are judged already
			name := fmt.Sprint(i)
			blocked := false
			for _, a := range jobs[slices.IndexFunc(jobs, func(j job) bool { return j.name == name })].after {
				blocked = blocked || byName[a] != nil
			}
			var b *BlockedError
			switch err := byName[name]; {
			case errors.As(err, &b) != blocked || blocked && !fails[b.On]:
				t.Errorf("seed %d: %s: blocked is %v, error %v", seed, name, blocked, err)
			case !blocked && (err != nil) != fails[name]:
				t.Errorf("seed %d: %s: error %v", seed, name, err)
			}
		}
	}
}

// meeting lets callers go on when there are n of them, which needs them to run
// at the same time.
func meeting(n int) func() error {
	var mu sync.Mutex
	all := make(chan struct{})
	return func() error {
		mu.Lock()
		if n--; n == 0 {
			close(all)
		}
		mu.Unlock()
		select {
		case <-all:
			return nil
		case <-time.After(2 * time.Second):
			return errors.New("nobody else came")
		}
	}
}

func TestWalkOverlaps(t *testing.T) {
	jobs := make([]job, 10)
	for i := range jobs {
		jobs[i].name = fmt.Sprint(i)
	}
	meet := meeting(len(jobs))
	errs := walk{}.run(t.Context(), jobs, func(context.Context, string) error { return meet() })
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// After an interrupt nothing begins any more, and what runs is waited for.
func TestWalkCancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	jobs := []job{{name: "a"}, {name: "b"}, {name: "c", after: []string{"a"}}, {name: "d"}}
	var mu sync.Mutex
	var ran []string
	errs := walk{parallel: 2}.run(ctx, jobs, func(ctx context.Context, name string) error {
		mu.Lock()
		ran = append(ran, name)
		if len(ran) == 2 {
			cancel()
		}
		mu.Unlock()
		<-ctx.Done()
		return ctx.Err()
	})
	slices.Sort(ran)
	if diff := cmp.Diff([]string{"a", "b"}, ran); diff != "" {
		t.Errorf("ran (-want +got):\n%s", diff)
	}
	for i, err := range errs {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", jobs[i].name, err)
		}
	}
}

// A failure on the way down keeps no other box.
func TestWalkRegardless(t *testing.T) {
	errs := walk{regardless: true}.run(t.Context(), []job{{name: "db", after: []string{"web"}}, {name: "web"}},
		func(_ context.Context, name string) error {
			if name == "web" {
				return errors.New("boom")
			}
			return nil
		})
	if errs[0] != nil || errs[1] == nil {
		t.Errorf("errors: %v", errs)
	}
}
