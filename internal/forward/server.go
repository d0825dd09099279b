package forward

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/berth-dev/berth/internal/guest"
)

// Config is what a forwarder is told. It gets it on its standard input, since it
// holds a key.
type Config struct {
	Box    string       // its id, for the log
	Dir    Dir          // folder of its files
	Target guest.Target // the box
	Rules  []Rule       // those that are not reversed in the order of the inherited sockets
	Auto   bool         // forward ports that begin to listen in the box
	GiveUp time.Duration
}

// News is what a forwarder tells the command that has started it, a line each.
type News struct {
	Ready    bool     `json:",omitempty"` // it has connected, and Problems are those of reversed forwards
	Problems []string `json:",omitempty"`

	Opened string `json:",omitempty"` // a port of the box that is forwarded by itself
	At     string `json:",omitempty"` // where, on the host
	Closed string `json:",omitempty"` // one that is not forwarded any more
}

// server is a forwarder's inside.
type server struct {
	cfg  Config
	ctx  context.Context // ends with the forwarder
	link *link
	log  *logFile

	autos map[string]*auto // used by one goroutine at a time: that of a connection

	mu   sync.Mutex
	news io.Writer // nil: nobody listens
	live live
}

// serve forwards until ctx ends, or returns an error when the box is gone.
func serve(ctx context.Context, cfg Config, sockets []*os.File, news io.Writer, log *logFile) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{cfg: cfg, ctx: ctx, log: log, news: news, autos: map[string]*auto{}}
	s.link = newLink(cfg.Target, cfg.GiveUp, log)
	s.live.Ports = []Port{}
	for _, r := range cfg.Rules {
		s.live.Ports = append(s.live.Ports, Port{Rule: r})
	}
	closers, err := s.listen(sockets)
	defer func() {
		for _, c := range closers {
			c.Close()
		}
	}()
	if err != nil {
		return err
	}
	s.save()
	log.printf("started with %d forwards", len(cfg.Rules))
	return s.link.keep(ctx, s.connected)
}

// listen begins to serve the inherited sockets.
func (s *server) listen(sockets []*os.File) (closers []io.Closer, err error) {
	for _, r := range s.cfg.Rules {
		if r.Reverse {
			continue
		}
		if len(sockets) == 0 {
			return closers, fmt.Errorf("forward %q has no socket", r.Name)
		}
		f := sockets[0]
		sockets = sockets[1:]
		if r.Protocol == "udp" {
			c, err := net.FilePacketConn(f)
			f.Close()
			if err != nil {
				return closers, fmt.Errorf("use socket of forward %q: %w", r.Name, err)
			}
			closers = append(closers, c)
			go newPackets(s.link, r, c.(*net.UDPConn)).serve()
			continue
		}
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			return closers, fmt.Errorf("use socket of forward %q: %w", r.Name, err)
		}
		// The file of a Unix socket is left for [Dir.Ended]: closing would remove
		// whatever is at its path by now.
		closers = append(closers, l)
		route := &route{link: s.link, guest: r.Guest, own: r.Own}
		go s.serveStreams(s.ctx, r.Name, l, route.dial)
	}
	return closers, nil
}

// connected does what needs a connection to the box, as long as there is one.
func (s *server) connected(ctx context.Context, client *guest.Client) {
	s.setLost(false)
	defer s.setLost(true)
	var wg sync.WaitGroup
	defer wg.Wait()
	var first sync.WaitGroup
	var mu sync.Mutex
	var problems []string
	for _, r := range s.cfg.Rules {
		if !r.Reverse {
			continue
		}
		first.Add(1)
		once := sync.OnceFunc(first.Done)
		wg.Go(func() {
			defer once()
			s.reverse(ctx, client, r, func(err error) {
				if err != nil {
					mu.Lock()
					problems = append(problems, fmt.Sprintf("forward %q: %v", r.Name, err))
					mu.Unlock()
				}
				once()
			})
		})
	}
	first.Wait()
	s.tell(News{Ready: true, Problems: problems})
	if s.cfg.Auto {
		s.watchPorts(ctx, client)
	}
	<-ctx.Done()
}

// tell passes news on, as long as somebody listens.
func (s *server) tell(n News) {
	text, err := json.Marshal(n)
	if err != nil {
		return
	}
	s.log.printf("%s", text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.news != nil {
		if _, err := s.news.Write(append(text, '\n')); err != nil {
			s.news = nil // up has ended
		}
	}
}

func (s *server) add(r Rule) {
	s.mu.Lock()
	s.live.Ports = append(s.live.Ports, Port{Rule: r})
	s.mu.Unlock()
	s.save()
}

func (s *server) remove(name string) {
	s.mu.Lock()
	s.live.Ports = slices.DeleteFunc(s.live.Ports, func(p Port) bool { return p.Name == name })
	s.mu.Unlock()
	s.save()
}

func (s *server) setLost(yes bool) {
	s.mu.Lock()
	changed := s.live.Lost != yes
	s.live.Lost = yes
	s.mu.Unlock()
	if changed {
		s.save()
	}
}

// setProblem notes why a forward does not work, or that it does.
func (s *server) setProblem(name string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	changed := false
	s.mu.Lock()
	for i := range s.live.Ports {
		if p := &s.live.Ports[i]; p.Name == name && p.Problem != text {
			p.Problem, changed = text, true
		}
	}
	s.mu.Unlock()
	if changed {
		s.save()
	}
}

// save writes what is in force.
func (s *server) save() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := writeJSON(s.cfg.Dir.live(), &s.live); err != nil {
		s.log.printf("%v", err)
	}
}
