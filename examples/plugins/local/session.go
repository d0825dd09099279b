package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// session is one SSH session (RFC 4254, section 6): one command or sftp.
type session struct {
	daemon  *daemon
	channel ssh.Channel
	env     map[string]string
	cmd     *exec.Cmd // once it has started
	begun   bool

	answered chan struct{} // closed when the request that began it has its answer
}

func (s *session) serve(requests <-chan *ssh.Request) {
	answered := false
	for r := range requests {
		ok := s.handle(r)
		if r.WantReply {
			_ = r.Reply(ok, nil) // an error means that the channel is gone, which the loop sees
		}
		if s.begun && !answered {
			answered = true
			close(s.answered)
		}
	}
}

func (s *session) handle(r *ssh.Request) bool {
	switch r.Type {
	case "env":
		var v struct{ Name, Value string }
		if ssh.Unmarshal(r.Payload, &v) != nil {
			return false
		}
		s.env[v.Name] = v.Value
		return true
	case "exec":
		var v struct{ Command string }
		return ssh.Unmarshal(r.Payload, &v) == nil && s.run(v.Command)
	case "shell":
		return s.run("exec sh")
	case "subsystem":
		var v struct{ Name string }
		return ssh.Unmarshal(r.Payload, &v) == nil && v.Name == "sftp" && s.sftp()
	case "signal":
		var v struct{ Name string }
		if ssh.Unmarshal(r.Payload, &v) != nil || s.cmd == nil {
			return false
		}
		n := unix.SignalNum("SIG" + v.Name)
		return n != 0 && syscall.Kill(-s.cmd.Process.Pid, n) == nil
	}
	return false
}

// run starts a command line and reports whether that went well.
func (s *session) run(line string) bool {
	if s.begun {
		return false
	}
	s.begun = true
	cmd := s.daemon.command(line, s.env)
	in, err := cmd.StdinPipe()
	if err == nil {
		cmd.Stdout, cmd.Stderr = s.channel, s.channel.Stderr()
		// A daemon that the command leaves behind may keep its output open.
		cmd.WaitDelay = time.Second
		err = s.daemon.start(cmd)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		return false
	}
	s.cmd = cmd
	go func() {
		_, _ = io.Copy(in, s.channel) // an error means that the command has closed its input
		in.Close()
	}()
	go func() {
		err := cmd.Wait()
		s.daemon.done(cmd)
		s.end(cmd.ProcessState, err)
	}()
	return true
}

// end tells the client how the command has ended, and closes the session.
func (s *session) end(state *os.ProcessState, err error) {
	defer s.channel.Close()
	<-s.answered // a client takes the end before the answer for a lost connection
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || (err != nil && !errors.As(err, new(*exec.ExitError)) && !errors.Is(err, exec.ErrWaitDelay)) {
		fmt.Fprintln(os.Stderr, "wait:", err)
	}
	if status.Signaled() {
		s.tell("exit-signal", struct {
			Signal     string
			CoreDumped bool
			Message    string
			Language   string
		}{Signal: strings.TrimPrefix(unix.SignalName(status.Signal()), "SIG")})
		return
	}
	s.tell("exit-status", struct{ Status uint32 }{uint32(status.ExitStatus())})
}

func (s *session) tell(what string, message any) {
	// An error means that the client is gone.
	_, _ = s.channel.SendRequest(what, false, ssh.Marshal(message))
}

func (s *session) sftp() bool {
	if s.begun {
		return false
	}
	s.begun = true
	go func() {
		defer s.channel.Close()
		err := serveSFTP(s.channel, sftp.WithServerWorkingDirectory(s.daemon.config.Dir+"/home"))
		var status uint32
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
		s.tell("exit-status", struct{ Status uint32 }{status})
	}()
	return true
}
