package forward

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/guest"
	"github.com/berth-dev/berth/internal/sshdtest"
)

type newsWriter chan News

func (w newsWriter) Write(b []byte) (int, error) {
	var n News
	err := json.Unmarshal(b, &n)
	w <- n
	return len(b), err
}

// echo answers every connection with what it says, once that has ended, and then
// with "bye": it works only when one direction can end alone.
func echo(t *testing.T, network, addr string) net.Addr {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				said, err := io.ReadAll(c)
				if err == nil {
					c.Write(append(said, "bye"...))
				}
			}()
		}
	}()
	return l.Addr()
}

// talk says something over a connection, ends that direction, and returns what
// comes back.
func talk(network, addr, text string) (string, error) {
	c, err := net.DialTimeout(network, addr, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte(text)); err != nil {
		return "", err
	}
	if err := c.(halfCloser).CloseWrite(); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

func wantTalk(t *testing.T, network, addr string) {
	t.Helper()
	if got, err := talk(network, addr, "hello "); err != nil || got != "hello bye" {
		t.Errorf("%s: %q, %v", addr, got, err)
	}
}

func portOf(a net.Addr) string { return fmt.Sprintf(":%d", a.(*net.TCPAddr).Port) }

// Every way that a stream can take.
func TestStreams(t *testing.T) {
	b := newBox(t)
	direct := echo(t, "tcp4", "127.0.0.1:0")
	six := echo(t, "tcp6", "[::1]:0") // refused at the box's address, so only SSH gets there
	socket := filepath.Join(b.Dir, "in.sock")
	echo(t, "unix", socket)
	os.Chmod(socket, 0o777)
	hostSocket, out := filepath.Join(b.Dir, "host.sock"), filepath.Join(b.Dir, "out.sock")
	outPort := sshdtest.FreeAddr(t)
	f := b.run(false,
		Rule{Name: "direct", Guest: portOf(direct), Want: "127.0.0.1:0"},
		Rule{Name: "loopback", Guest: portOf(six), Want: "127.0.0.1:0"},
		Rule{Name: "named", Guest: six.String(), Want: "127.0.0.1:0"},
		Rule{Name: "socket", Guest: socket, Want: "127.0.0.1:0"},
		Rule{Name: "host-socket", Guest: portOf(direct), Want: hostSocket},
		Rule{Name: "reverse", Guest: outPort, Want: direct.String(), Reverse: true},
		Rule{Name: "reverse-socket", Guest: out, Want: socket, Reverse: true},
	)
	for _, name := range []string{"direct", "loopback", "named", "socket"} {
		t.Run(name, func(t *testing.T) { wantTalk(t, "tcp", f.hosts[name]) })
	}
	t.Run("host-socket", func(t *testing.T) { wantTalk(t, "unix", hostSocket) })
	t.Run("reverse", func(t *testing.T) { wantTalk(t, "tcp", outPort) })
	t.Run("reverse-socket", func(t *testing.T) { wantTalk(t, "unix", out) })
	ports, _, err := f.cfg.Dir.Ports()
	if err != nil || len(ports) != 0 {
		t.Errorf("ports without a plan: %v, %v", ports, err)
	}
	var l live
	if err := readJSON(f.cfg.Dir.live(), &l); err != nil || l.Lost || len(l.Ports) != 7 {
		t.Errorf("in force: %+v, %v", l, err)
	}
	f.stop()
	if err := (&Plan{Rules: f.cfg.Rules}).removePaths(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(hostSocket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket of the host is left: %v", err)
	}
}

func TestManyAndLarge(t *testing.T) {
	b := newBox(t)
	direct, six := echo(t, "tcp4", "127.0.0.1:0"), echo(t, "tcp6", "[::1]:0")
	f := b.run(false,
		Rule{Name: "direct", Guest: portOf(direct), Want: "127.0.0.1:0"},
		Rule{Name: "ssh", Guest: portOf(six), Want: "127.0.0.1:0"})
	for name, size := range map[string]int{"direct": 1 << 17, "ssh": 1 << 15} {
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				data := make([]byte, size)
				rand.NewChaCha8([32]byte{byte(i)}).Read(data)
				got, err := talk("tcp", f.hosts[name], string(data))
				if err != nil || sha256.Sum256([]byte(got)) != sha256.Sum256(append(data, "bye"...)) {
					t.Errorf("%s %d: %d bytes, %v", name, i, len(got), err)
				}
			})
		}
		wg.Wait()
	}
}

// A reader that does not read stops the writer; no data is gathered between.
func TestBackpressure(t *testing.T) {
	b := newBox(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := b.run(false, Rule{Name: "slow", Guest: portOf(l.Addr()), Want: "127.0.0.1:0"})
	c, err := net.Dial("tcp", f.hosts["slow"])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c.SetWriteDeadline(time.Now().Add(2 * time.Second))
	n, err := io.Copy(c, io.LimitReader(zeros{}, 1<<30))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("1 GiB went to nobody: %d bytes, %v", n, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// Nothing listens in the box: the client learns at once, and not by a clean end.
func TestNobodyListens(t *testing.T) {
	b := newBox(t)
	f := b.run(false, Rule{Name: "none", Guest: portOf(must(net.ResolveTCPAddr("tcp", sshdtest.FreeAddr(t)))), Want: "127.0.0.1:0"})
	c := must(net.Dial("tcp", f.hosts["none"]))
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("got %d bytes, %v", n, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestUDP(t *testing.T) {
	b := newBox(t)
	server := must(net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	defer server.Close()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := server.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			server.WriteToUDPAddrPort(append([]byte("to "+from.String()+" "), buf[:n]...), from)
		}
	}()
	f := b.run(false, Rule{Name: "dns", Protocol: "udp", Guest: fmt.Sprintf(":%d", server.LocalAddr().(*net.UDPAddr).Port), Want: "127.0.0.1:0"})
	seen := map[string]bool{}
	for i := range 5 {
		c := must(net.Dial("udp", f.hosts["dns"]))
		defer c.Close()
		for _, size := range []int{0, 1, 9000} {
			text := strings.Repeat(fmt.Sprint(i), size)
			c.SetDeadline(time.Now().Add(5 * time.Second))
			c.Write([]byte(text))
			buf := make([]byte, 1<<16)
			n, err := c.Read(buf)
			answer := strings.SplitN(string(buf[:n]), " ", 3)
			if err != nil || len(answer) != 3 || answer[2] != text {
				t.Fatalf("client %d, %d bytes: %.50q, %v", i, size, buf[:n], err)
			}
			seen[answer[1]] = true
		}
	}
	if len(seen) != 5 {
		t.Errorf("5 clients had %d sockets to the box", len(seen))
	}
}

// A client that is idle is forgotten.
func TestUDPIdle(t *testing.T) {
	server := must(net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	defer server.Close()
	conn := must(net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	defer conn.Close()
	p := newPackets(&link{target: guest.Target{Addr: "127.0.0.1:22"}}, Rule{Guest: fmt.Sprintf(":%d", server.LocalAddr().(*net.UDPAddr).Port)}, conn)
	p.idle = 50 * time.Millisecond
	client := must(net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	defer client.Close()
	if p.client(client.LocalAddr().(*net.UDPAddr).AddrPort()) == nil {
		t.Fatal("no socket")
	}
	until(t, "the client is forgotten", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.clients) == 0
	})
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after 15s: %s", what)
		}
	}
}

// The box reboots: everything works again, reversed sockets too, whose files the
// cut connection has left.
func TestReconnect(t *testing.T) {
	b := newBox(t)
	direct := echo(t, "tcp4", "127.0.0.1:0")
	out := filepath.Join(b.Dir, "out.sock")
	f := b.run(false,
		Rule{Name: "direct", Guest: portOf(direct), Want: "127.0.0.1:0"},
		Rule{Name: "reverse", Guest: out, Want: direct.String(), Reverse: true})
	wantTalk(t, "unix", out)
	b.Stop()
	if err := f.cfg.Dir.SavePlan(&Plan{Rules: f.cfg.Rules}); err != nil {
		t.Fatal(err)
	}
	until(t, "the loss is noticed", func() bool {
		var l live
		return readJSON(f.cfg.Dir.live(), &l) == nil && l.Lost
	})
	answered := make(chan error, 1)
	go func() { // a connection in between waits for the box
		got, err := talk("tcp", f.hosts["direct"], "hello ")
		if err == nil && got != "hello bye" {
			err = fmt.Errorf("got %q", got)
		}
		answered <- err
	}()
	b.Start()
	if n := f.next(); !n.Ready || len(n.Problems) > 0 {
		t.Errorf("news: %+v", n)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	wantTalk(t, "unix", out)
}

// A box that does not come back, or is another one by then, ends its forwarder.
func TestGone(t *testing.T) {
	b := newBox(t)
	f := b.run(false)
	b.Stop()
	select {
	case err := <-f.ended:
		if !errors.Is(err, errGone) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it does not end")
	}
	other := newBox(t)
	other.host.HostKey = b.host.HostKey
	f = other.begin(false)
	select {
	case err := <-f.ended:
		if !errors.Is(err, errGone) || !strings.Contains(err.Error(), "host key") {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it does not end")
	}
}

// A box that is frozen takes connections and does not go on: it is waited for.
func TestFrozen(t *testing.T) {
	b := newBox(t)
	silent := must(net.Listen("tcp4", "127.0.0.1:0"))
	defer silent.Close()
	b.host.Addr = silent.Addr().String()
	l := newLink(b.host, 300*time.Millisecond, &logFile{})
	l.limit, l.slow = 100*time.Millisecond, 10*time.Millisecond
	ended := make(chan error, 1)
	go func() { ended <- l.keep(t.Context(), nil) }()
	select {
	case err := <-ended:
		t.Fatalf("a frozen box was given up: %v", err)
	case <-time.After(2 * time.Second):
	}
	silent.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, errGone) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it does not end")
	}
}

// What the box refuses is told, and tried again.
func TestReverseTaken(t *testing.T) {
	b := newBox(t)
	taken := must(net.Listen("tcp", "127.0.0.1:0"))
	direct := echo(t, "tcp4", "127.0.0.1:0")
	f := b.begin(false, Rule{Name: "back", Guest: taken.Addr().String(), Want: direct.String(), Reverse: true})
	if n := f.next(); !n.Ready || len(n.Problems) != 1 || !strings.Contains(n.Problems[0], `forward "back": listen at 127.0.0.1:`) {
		t.Errorf("news: %+v", n)
	}
	taken.Close()
	until(t, "the port is had", func() bool {
		got, err := talk("tcp", taken.Addr().String(), "hello ")
		return err == nil && got == "hello bye"
	})
}

// The box of these tests shares the host's network, so that a port that listens
// "in the box" is taken on the host, and the forward is to another one.
func TestAuto(t *testing.T) {
	b := newBox(t)
	f := b.begin(false)
	f.next()
	client, err := newLink(b.host, 0, nil).dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	defer r.Close()
	go watchWith(ctx, client, w)
	seen := make(chan []int)
	go scanPorts(r, func(ports []int) { seen <- ports })
	addr := echo(t, "tcp", "127.0.0.1:0").(*net.TCPAddr)
	for ports := range seen {
		if bytes.Contains([]byte(fmt.Sprint(ports)), []byte(fmt.Sprint(addr.Port))) {
			break
		}
	}
}

func TestReconcile(t *testing.T) {
	b := newBox(t)
	news := make(newsWriter, 100)
	s := &server{ctx: t.Context(), log: &logFile{}, news: news, autos: map[string]*auto{}, link: newLink(b.host, 0, &logFile{})}
	s.cfg = Config{Dir: Dir(t.TempDir()), Rules: []Rule{{Name: "web", Protocol: "tcp", Guest: ":8080", Want: "127.0.0.1:0"}}}
	ctx, cancel := context.WithCancel(t.Context())
	var keeping sync.WaitGroup
	t.Cleanup(func() { cancel(); keeping.Wait() })
	keeping.Go(func() { s.link.keep(ctx, s.connected) })
	<-news // ready
	inBox := echo(t, "tcp4", "127.0.0.1:0").(*net.TCPAddr)
	s.reconcile([]int{8080, inBox.Port})
	n := <-news
	if n.Opened != fmt.Sprint(inBox.Port) || !strings.HasPrefix(n.At, "127.0.0.1:20") {
		t.Fatalf("news: %+v", n)
	}
	wantTalk(t, "tcp", n.At)
	s.reconcile([]int{8080, inBox.Port, port(n.At)}) // its own port is none of the box
	s.reconcile([]int{8080})
	if n := <-news; n.Closed != fmt.Sprint(inBox.Port) {
		t.Errorf("news: %+v", n)
	}
	if c, err := net.Dial("tcp", n.At); err == nil {
		c.Close()
		t.Errorf("%s is still open", n.At)
	}
}

func TestParsePorts(t *testing.T) {
	got := fmt.Sprint(parsePorts(" 00000000:0016 0100007F:1F90 00000000000000000000000000000000:1F90 junk 00000000:0400 end"))
	if got != "[1024 8080]" {
		t.Errorf("got %s", got)
	}
}
