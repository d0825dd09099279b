package guest

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/berth-dev/berth/internal/sshdtest"
	"github.com/berth-dev/berth/provisioner"
)

// soon is a context for what must fail by running out of time.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestWaitLateListener(t *testing.T) {
	t.Parallel()
	s, target := newServer(t)
	target.Addr = sshdtest.FreeAddr(t)
	time.AfterFunc(150*time.Millisecond, func() { s.listen(target.Addr) })
	var stages []string
	c, err := Wait(t.Context(), target, WaitOptions{Stage: func(s string) { stages = append(stages, s) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if want := []string{StageTCP, StageHandshake, StageLogin}; !slices.Equal(stages, want) {
		t.Errorf("stages %q, want %q", stages, want)
	}
}

func TestWaitKeys(t *testing.T) {
	t.Parallel()
	s, target := newServer(t)
	target.Addr = s.listen("")
	_, otherKey, otherPub := sshdtest.NewKey(t)

	wrong := target
	wrong.HostKey = otherPub
	_, err := Wait(t.Context(), wrong, WaitOptions{})
	var stage *StageError
	if !errors.Is(err, ErrHostKey) || !errors.As(err, &stage) || stage.Stage != StageHandshake {
		t.Errorf("wrong host key: %v", err)
	}
	wrong.HostKey = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg="
	if _, err := Wait(t.Context(), wrong, WaitOptions{}); !errors.Is(err, ErrHostKey) {
		t.Errorf("host key of another type: %v", err)
	}
	wrong = target
	wrong.Key = otherKey
	_, err = Wait(t.Context(), wrong, WaitOptions{})
	if !errors.Is(err, ErrAuth) || !errors.As(err, &stage) || stage.Stage != StageLogin {
		t.Errorf("wrong user key: %v", err)
	}
	wrong.Key = []byte("nonsense")
	if _, err = Wait(t.Context(), wrong, WaitOptions{}); err == nil || !strings.HasPrefix(err.Error(), "read user key of box: ") {
		t.Errorf("no key at all: %v", err)
	}
}

// accept serves raw connections.
func accept(t testing.TB, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
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
			t.Cleanup(func() { c.Close() })
			go handle(c)
		}
	}()
	return l.Addr().String()
}

func TestNotReady(t *testing.T) {
	t.Parallel()
	_, target := newServer(t)
	// The account phase of PAM ends the connection while the system boots.
	booting, bootTarget := newServer(t)
	booting.config.BannerCallback = func(ssh.ConnMetadata) string { return "System is booting up.\n" }
	booting.config.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
		booting.drop()
		return nil, errors.New("no")
	}
	for _, c := range []struct {
		name, addr, stage, last string
		target                  Target
	}{
		{"refused", sshdtest.FreeAddr(t), StageTCP, "connection refused", target},
		{"silent", accept(t, func(net.Conn) {}), StageHandshake, "", target},
		{"hangs up", accept(t, func(c net.Conn) { c.Close() }), StageHandshake, "handshake", target},
		{"hangs up later", accept(t, func(c net.Conn) { io.WriteString(c, "SSH-2.0-x\r\n"); c.Close() }), StageHandshake, "handshake", target},
		{"booting", booting.listen(""), StageLogin, "System is booting up.", bootTarget},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.target.Addr = c.addr
			_, err := Wait(soon(t), c.target, WaitOptions{})
			var e *NotReadyError
			if !errors.As(err, &e) || e.Stage != c.stage || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(err.Error(), c.last) || e.Waited < 250*time.Millisecond {
				t.Errorf("got %v after %v", err, e.Waited)
			}
		})
	}
}

func TestWaitDeadBox(t *testing.T) {
	t.Parallel()
	_, target := newServer(t)
	target.Addr = accept(t, func(net.Conn) {})
	died := errors.New("box has stopped")
	_, err := Wait(t.Context(), target, WaitOptions{Alive: func(context.Context) error { return died }})
	var e *NotReadyError
	if !errors.Is(err, died) || !errors.As(err, &e) {
		t.Errorf("got %v", err)
	}
}

// sshd of a busy box takes its time; the limit of a TCP attempt is not for it.
func TestWaitSlowHandshake(t *testing.T) {
	t.Parallel()
	s, target := newServer(t)
	addr := s.listen("")
	var conns atomic.Int32
	target.Addr = accept(t, func(c net.Conn) {
		conns.Add(1)
		up, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		time.Sleep(firstTCP + 100*time.Millisecond)
		go io.Copy(up, c)
		io.Copy(c, up)
	})
	connect(t, target)
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestDialCancelled(t *testing.T) {
	t.Parallel()
	_, target := newServer(t)
	target.Addr = accept(t, func(net.Conn) {})
	if _, err := Dial(soon(t), target); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A box that is frozen, or gone without a word, must not hang a step.
func TestKeepalive(t *testing.T) {
	t.Parallel()
	s, target := newServer(t)
	addr := s.listen("")
	var mute atomic.Bool
	target.Addr = accept(t, func(c net.Conn) {
		up, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		go io.Copy(up, c)
		buf := make([]byte, 4096)
		for {
			n, err := up.Read(buf)
			if err != nil {
				return
			}
			if !mute.Load() {
				c.Write(buf[:n])
			}
		}
	})
	plain, err := Dial(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	c := newClient(plain.conn, target, liveness{every: 20 * time.Millisecond, miss: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err = c.Guest(provisioner.Info{}, &screen{}).Run(ctx, provisioner.Cmd{
		Argv:   []string{"sh", "-c", "echo ready; exec sleep 3"},
		Stdout: writerFunc(func(b []byte) (int, error) { mute.Store(true); return len(b), nil }),
	})
	if !errors.Is(err, provisioner.ErrConnection) || !strings.Contains(err.Error(), "no answer from "+target.Addr) {
		t.Errorf("got %v", err)
	}
}
