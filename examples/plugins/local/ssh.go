package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// sshServer speaks as much of SSH as Berth uses: exec and sftp, no terminals.
type sshServer struct {
	daemon *daemon
	config *ssh.ServerConfig
}

func newSSHServer(d *daemon) (*sshServer, error) {
	host, err := ssh.ParsePrivateKey(d.config.HostKey)
	if err != nil {
		return nil, fmt.Errorf("read host key: %w", err)
	}
	user, _, _, _, err := ssh.ParseAuthorizedKey([]byte(d.config.AuthorizedKey))
	if err != nil {
		return nil, fmt.Errorf("read authorized key: %w", err)
	}
	s := &sshServer{daemon: d, config: &ssh.ServerConfig{
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if c.User() != d.config.User || !bytes.Equal(key.Marshal(), user.Marshal()) {
				return nil, errors.New("unknown user or key")
			}
			return &ssh.Permissions{}, nil
		},
	}}
	s.config.AddHostKey(host)
	return s, nil
}

func (s *sshServer) serve(c net.Conn) {
	defer c.Close()
	conn, channels, requests, err := ssh.NewServerConn(c, s.config)
	if err != nil {
		fmt.Fprintf(os.Stderr, "connection from %s: %v\n", c.RemoteAddr(), err)
		return
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	for ch := range channels {
		if ch.ChannelType() != "session" {
			_ = ch.Reject(ssh.UnknownChannelType, "only sessions")
			continue
		}
		channel, requests, err := ch.Accept()
		if err != nil {
			return // the connection is lost
		}
		go (&session{daemon: s.daemon, channel: channel, env: map[string]string{}, answered: make(chan struct{})}).serve(requests)
	}
}

// stdio is the standard input and output of the fake sftp-server.
type stdio struct{}

func (stdio) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (stdio) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (stdio) Close() error                { return os.Stdin.Close() }

// serveSFTP serves files; relative paths are relative to the working directory.
func serveSFTP(rw io.ReadWriteCloser, options ...sftp.ServerOption) error {
	server, err := sftp.NewServer(rw, options...)
	if err != nil {
		return err
	}
	if err := server.Serve(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("serve sftp: %w", err)
	}
	return nil
}
