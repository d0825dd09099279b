package guest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/berth-dev/berth/internal/sshdtest"
)

// A server is an SSH server in this process. Commands run on the host, in a
// folder of the test, as its own user.
type server struct {
	t      testing.TB
	config *ssh.ServerConfig
	home   string
	exec   func(s *server, ch ssh.Channel, command string) // in place of a real command, if set
	sub    func(ch ssh.Channel)                            // in place of the sftp server, if set

	mu    sync.Mutex
	conns []net.Conn
}

// newServer makes a server and the target that fits it. It does not listen yet.
func newServer(t testing.TB) (*server, Target) {
	t.Helper()
	host, _, hostPub := sshdtest.NewKey(t)
	user, userKey, _ := sshdtest.NewKey(t)
	s := &server{t: t, home: t.TempDir()}
	s.config = &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if !bytes.Equal(key.Marshal(), user.PublicKey().Marshal()) {
				return nil, errors.New("unknown key")
			}
			return nil, nil
		},
	}
	s.config.AddHostKey(host)
	return s, Target{User: "dev", Key: userKey, HostKey: hostPub}
}

// listen serves at addr, or anywhere, until the test ends.
func (s *server) listen(addr string) string {
	s.t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		l.Close()
		s.drop()
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
			go s.serve(conn)
		}
	}()
	return l.Addr().String()
}

// drop cuts all connections.
func (s *server) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	_, chans, reqs, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(reqs)
	for nc := range chans {
		ch, reqs, err := nc.Accept()
		if err != nil {
			return
		}
		go s.session(ch, reqs)
	}
}

func (s *server) session(ch ssh.Channel, reqs <-chan *ssh.Request) {
	for r := range reqs {
		var m struct{ Text string }
		ssh.Unmarshal(r.Payload, &m)
		switch {
		case r.Type == "exec":
			r.Reply(true, nil)
			run := s.exec
			if run == nil {
				run = (*server).run
			}
			go run(s, ch, m.Text)
		case r.Type == "subsystem" && m.Text == "sftp":
			r.Reply(true, nil)
			go s.sftp(ch)
		default:
			r.Reply(false, nil)
		}
	}
}

func (s *server) sftp(ch ssh.Channel) {
	defer ch.Close()
	if s.sub != nil {
		s.sub(ch)
		return
	}
	srv, err := sftp.NewServer(ch, sftp.WithServerWorkingDirectory(s.home))
	if err == nil {
		srv.Serve()
	}
}

// run does what sshd does: output that a child of the command still holds does
// not keep the status back.
func (s *server) run(ch ssh.Channel, command string) {
	defer ch.Close()
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Dir = s.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return
	}
	cmd.Stdout, cmd.Stderr = outW, errW
	err = cmd.Start()
	outW.Close()
	errW.Close()
	if err != nil {
		return
	}
	go func() {
		io.Copy(stdin, ch)
		stdin.Close()
	}()
	var out sync.WaitGroup
	out.Go(func() { io.Copy(ch, outR) })
	out.Go(func() { io.Copy(ch.Stderr(), errR) })
	state, _ := cmd.Process.Wait()
	exit(ch, state.Sys().(syscall.WaitStatus))
	out.Wait()
}

func exit(ch ssh.Channel, st syscall.WaitStatus) {
	if st.Signaled() {
		names := map[syscall.Signal]string{syscall.SIGKILL: "KILL", syscall.SIGTERM: "TERM"}
		ch.SendRequest("exit-signal", false, ssh.Marshal(&struct {
			Signal  string
			Core    bool
			Message string
			Lang    string
		}{Signal: names[st.Signal()]}))
		return
	}
	ch.SendRequest("exit-status", false, ssh.Marshal(&struct{ Status uint32 }{uint32(st.ExitStatus())}))
}
