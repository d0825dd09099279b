package forward

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/berth/internal/guest"
	"github.com/berth-dev/berth/internal/sshdtest"
)

// box is an OpenSSH server that stands for a box.
type box struct {
	*sshdtest.Server
	t    *testing.T
	host guest.Target
}

// newBox starts a server that ends with the test.
func newBox(t *testing.T) *box {
	t.Helper()
	s := sshdtest.New(t, sshdtest.Options{})
	return &box{Server: s, t: t, host: guest.Target{Addr: s.Addr, User: sshdtest.User, Key: s.Key, HostKey: s.HostKey}}
}

// forwarder is one that runs in the test's process.
type forwarder struct {
	t     *testing.T
	cfg   Config
	hosts map[string]string // where each rule listens, by name
	news  chan News
	ended chan error
	stop  func()
}

// run starts a forwarder for a box, and waits for its first connection.
func (b *box) run(auto bool, rules ...Rule) *forwarder {
	f := b.begin(auto, rules...)
	if n := f.next(); !n.Ready {
		b.t.Fatalf("news: %+v", n)
	}
	return f
}

func (b *box) begin(auto bool, rules ...Rule) *forwarder {
	t := b.t
	t.Helper()
	f := &forwarder{t: t, hosts: map[string]string{}, news: make(chan News, 100), ended: make(chan error, 1)}
	f.cfg = Config{Box: "box", Dir: Dir(t.TempDir()), Target: b.host, Auto: auto, GiveUp: 2 * time.Second}
	var files []*os.File
	for _, r := range rules {
		if r.Protocol == "" {
			r.Protocol = "tcp"
		}
		if r.Range == (Range{}) {
			r.Range = Range{30000, 31999}
		}
		if r.Reverse {
			r.Host = r.Want
		} else {
			s, err := Bind(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			r = s.Rule
			files = append(files, s.file)
		}
		f.hosts[r.Name] = r.Host
		f.cfg.Rules = append(f.cfg.Rules, r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.ended <- serve(ctx, f.cfg, files, newsWriter(f.news), &logFile{file: os.Stderr})
	}()
	f.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(f.stop)
	return f
}

// next waits for news.
func (f *forwarder) next() News {
	f.t.Helper()
	select {
	case n := <-f.news:
		return n
	case err := <-f.ended:
		f.t.Fatalf("the forwarder has ended: %v", err)
	case <-time.After(20 * time.Second):
		f.t.Fatal("no news")
	}
	return News{}
}
