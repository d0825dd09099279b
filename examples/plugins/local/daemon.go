package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// The file descriptors that the daemon inherits.
const (
	lockFD   = 3
	readyFD  = 4
	listenFD = 5 // unless silent
)

// daemonConfig is what the daemon gets on its standard input.
type daemonConfig struct {
	Dir           string
	User          string
	Env           map[string]string
	AuthorizedKey string
	HostKey       []byte
	Silent        bool
}

// runDaemon is the SSH server of one box. It ends by a signal; see box.stop.
func runDaemon() error {
	for fd := lockFD; fd <= listenFD; fd++ {
		unix.CloseOnExec(fd) // a command that kept the lock would be taken for the box
	}
	ready := os.NewFile(readyFD, "ready")
	d, err := newDaemon(os.Stdin)
	if err != nil {
		fmt.Fprintln(ready, err)
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM, unix.SIGQUIT)
	fmt.Fprintln(ready)
	ready.Close()
	if d.listener != nil {
		go d.serve()
	}
	for s := range signals {
		if s == unix.SIGQUIT {
			d.signalAll(syscall.SIGKILL)
			break
		}
		d.signalAll(syscall.SIGTERM)
		go func() {
			d.commands.Wait()
			signals <- unix.SIGQUIT
		}()
	}
	return nil
}

// daemon is the state of the SSH server.
type daemon struct {
	config   daemonConfig
	server   *sshServer
	listener net.Listener // nil when silent

	mu       sync.Mutex
	closing  bool
	groups   map[int]bool // process groups of running commands
	commands sync.WaitGroup
}

func newDaemon(in *os.File) (*daemon, error) {
	d := &daemon{groups: map[int]bool{}}
	if err := json.NewDecoder(in).Decode(&d.config); err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var err error
	if d.server, err = newSSHServer(d); err != nil {
		return nil, err
	}
	if d.config.Silent {
		return d, nil
	}
	f := os.NewFile(listenFD, "listener")
	defer f.Close()
	d.listener, err = net.FileListener(f)
	return d, err
}

func (d *daemon) serve() {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "accept:", err)
			return
		}
		go d.server.serve(conn)
	}
}

// command returns a command line of the box, to be run with d.run.
func (d *daemon) command(line string, env map[string]string) *exec.Cmd {
	home, bin := d.config.Dir+"/home", d.config.Dir+"/bin"
	all := map[string]string{
		"HOME": home, "USER": d.config.User, "LOGNAME": d.config.User, "SHELL": "/bin/sh",
		"PATH": bin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}
	maps.Copy(all, d.config.Env)
	maps.Copy(all, env)
	cmd := exec.Command("/bin/sh", "-c", line)
	cmd.Dir = home
	for _, name := range slices.Sorted(maps.Keys(all)) {
		cmd.Env = append(cmd.Env, name+"="+all[name])
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

var errClosing = errors.New("the box is shutting down")

// start starts a command; d.done follows when it has ended.
func (d *daemon) start(cmd *exec.Cmd) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closing {
		return errClosing
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.groups[cmd.Process.Pid] = true
	d.commands.Add(1)
	return nil
}

func (d *daemon) done(cmd *exec.Cmd) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.groups, cmd.Process.Pid)
	d.commands.Done()
}

// signalAll signals all commands and lets no other begin. What has left its
// command's session lives on: nothing here holds it together.
func (d *daemon) signalAll(s syscall.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closing = true
	for pid := range d.groups {
		_ = syscall.Kill(-pid, s) // ESRCH when it has just ended
	}
}
