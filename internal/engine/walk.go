package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/berth-dev/berth/config"
)

// defaultParallel is how many boxes are worked on at once. Booting is mostly
// waiting, but what runs in many boxes at once takes the host's memory.
const defaultParallel = 10

// job is work on one box.
type job struct {
	name  string
	after []string // jobs that end before it begins; names of no job mean nothing
}

// walk does jobs as soon as those they wait for have ended, up to parallel at
// once, else in the order in which they are given. A job fails on its own: others
// go on, but those that wait for it fail with a *BlockedError, unless regardless
// is set. When ctx ends no further job begins.
type walk struct {
	parallel   int // 0: the default
	regardless bool
}

// run returns each job's error, in the order of jobs, which have no cycles.
func (w walk) run(ctx context.Context, jobs []job, do func(ctx context.Context, name string) error) []error {
	if w.parallel <= 0 {
		w.parallel = defaultParallel
	}
	s := newSchedule(jobs)
	ended := make(chan int)
	for running := 0; ; {
		for running < w.parallel && len(s.ready) > 0 {
			i := s.next()
			if err := w.refuse(ctx, s, i); err != nil {
				s.errs[i] = err
				s.end(i)
				continue
			}
			running++
			go func() {
				s.errs[i] = do(ctx, jobs[i].name)
				ended <- i
			}()
		}
		if running == 0 {
			return s.errs
		}
		s.end(<-ended)
		running--
	}
}

// refuse returns why job i cannot begin, or nil.
func (w walk) refuse(ctx context.Context, s *schedule, i int) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, j := range s.before[i] {
		if s.errs[j] == nil || w.regardless {
			continue
		}
		var blocked *BlockedError
		if errors.As(s.errs[j], &blocked) {
			return blocked
		}
		return &BlockedError{On: s.jobs[j].name}
	}
	return nil
}

// schedule knows which jobs can begin.
type schedule struct {
	jobs   []job
	errs   []error
	before [][]int // the jobs that each one waits for
	after  [][]int // the jobs that wait for each one
	waits  []int   // how many of before have not ended
	ready  []int   // can begin and have not, in order
}

func newSchedule(jobs []job) *schedule {
	n := len(jobs)
	s := &schedule{
		jobs: jobs, errs: make([]error, n), before: make([][]int, n), after: make([][]int, n), waits: make([]int, n),
	}
	index := map[string]int{}
	for i, j := range jobs {
		index[j.name] = i
	}
	for i, j := range jobs {
		for _, name := range j.after {
			if k, ok := index[name]; ok {
				s.before[i] = append(s.before[i], k)
				s.after[k] = append(s.after[k], i)
				s.waits[i]++
			}
		}
		if s.waits[i] == 0 {
			s.ready = append(s.ready, i)
		}
	}
	return s
}

func (s *schedule) next() int {
	i := s.ready[0]
	s.ready = s.ready[1:]
	return i
}

// end notes that job i has ended.
func (s *schedule) end(i int) {
	for _, j := range s.after[i] {
		if s.waits[j]--; s.waits[j] == 0 {
			s.ready = append(s.ready, j)
		}
	}
	slices.Sort(s.ready)
}

// BlockedError is a box on which nothing was done, since one that it depends on
// failed.
type BlockedError struct{ On string }

func (e *BlockedError) Error() string {
	return fmt.Sprintf("nothing was done, since it depends on box %q, which failed", e.On)
}

// BoxError is what went wrong with one box.
type BoxError struct {
	Verb, Box string // "up", "web"
	Err       error
}

func (e *BoxError) Error() string { return e.Verb + " " + e.Box + ": " + e.Err.Error() }
func (e *BoxError) Unwrap() error { return e.Err }

// needs returns what a box depends on, directly or not.
func needs(e *config.Envfile, name string) map[string]bool {
	found := map[string]bool{}
	var add func(string)
	add = func(name string) {
		b := e.Box(name)
		if b == nil {
			return
		}
		for _, dep := range b.DependsOn {
			if !found[dep] {
				found[dep] = true
				add(dep)
			}
		}
	}
	add(name)
	return found
}

// upward makes jobs of boxes, each after those it depends on, also when what is
// between them is not among the names.
func upward(e *config.Envfile, names []string) []job {
	jobs := make([]job, len(names))
	for i, name := range names {
		jobs[i].name = name
		for dep := range needs(e, name) {
			jobs[i].after = append(jobs[i].after, dep)
		}
	}
	return jobs
}

// downward makes jobs of boxes, each after those that depend on it.
func downward(e *config.Envfile, names []string) []job {
	after := map[string][]string{}
	for _, name := range names {
		for dep := range needs(e, name) {
			after[dep] = append(after[dep], name)
		}
	}
	jobs := make([]job, len(names))
	for i, name := range names {
		jobs[i] = job{name: name, after: after[name]}
	}
	return jobs
}

// joined makes one error of what went wrong with boxes, each named, those that
// only wait for others last.
func joined(verb string, jobs []job, errs []error) error {
	var failed, blocked []error
	for i, err := range errs {
		if err == nil {
			continue
		}
		named := &BoxError{Verb: verb, Box: jobs[i].name, Err: err}
		var b *BlockedError
		if errors.As(err, &b) {
			blocked = append(blocked, named)
		} else {
			failed = append(failed, named)
		}
	}
	return errors.Join(append(failed, blocked...)...)
}
