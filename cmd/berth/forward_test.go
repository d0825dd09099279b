package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// held are the listeners of the commands hold and release, by network and address.
var held sync.Map

// listen opens a socket of the host that a script wants.
func listen(network, addr string) (io.Closer, error) {
	if network == "udp" {
		return net.ListenPacket(network, addr)
	}
	return net.Listen(network, addr)
}

// hold keeps a port until it is released: hold NETWORK ADDRESS.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hold NETWORK ADDRESS")
	}
	c, err := listen(args[0], args[1])
	ts.Check(err)
	held.Store(strings.Join(args, " "), c)
	ts.Defer(func() { c.Close() })
}

func release(ts *testscript.TestScript, neg bool, args []string) {
	c, ok := held.LoadAndDelete(strings.Join(args, " "))
	if !ok || neg {
		ts.Fatalf("not held: %s", args)
	}
	c.(io.Closer).Close()
}

// free fails if a port cannot be had: free NETWORK ADDRESS.
func free(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: free NETWORK ADDRESS")
	}
	c, err := listen(args[0], args[1])
	ts.Check(err)
	c.Close()
}

// echoes serves one client at an address, as a program in a box of the local
// provider would, and fails if it is not reached by another one:
// echoes NETWORK ADDRESS NETWORK ADDRESS.
func echoes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: echoes NETWORK ADDRESS NETWORK ADDRESS")
	}
	server, err := listen(args[0], args[1])
	ts.Check(err)
	defer server.Close()
	go echoOnce(server)
	addr := args[3]
	if args[2] == "unix" {
		addr = ts.MkAbs(addr)
	}
	c, err := net.Dial(args[2], addr)
	ts.Check(err)
	defer c.Close()
	ts.Check(c.SetDeadline(time.Now().Add(20 * time.Second)))
	text := fmt.Sprint("hello ", time.Now().UnixNano())
	_, err = io.WriteString(c, text)
	ts.Check(err)
	b := make([]byte, len(text))
	_, err = io.ReadFull(c, b)
	ts.Check(err)
	if string(b) != text {
		ts.Fatalf("got %q", b)
	}
}

func echoOnce(server io.Closer) {
	switch s := server.(type) {
	case net.Listener:
		if c, err := s.Accept(); err == nil {
			io.Copy(c, c)
			c.Close()
		}
	case net.PacketConn:
		b := make([]byte, 1000)
		if n, from, err := s.ReadFrom(b); err == nil {
			s.WriteTo(b[:n], from)
		}
	}
}

// forwarderCommand looks at the forwarder of the only box: forwarder pid prints its
// number, kill kills it, none fails if one is left, closed fails if it holds what
// it has no use for.
func forwarderCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: forwarder pid|kill|none|closed")
	}
	work := ts.Getenv("WORK")
	if args[0] == "none" {
		if left := forwarders(work); len(left) > 0 {
			ts.Fatalf("left: %v", left)
		}
		return
	}
	pids := forwarders(work)
	if len(pids) != 1 {
		ts.Fatalf("%d forwarders: %v", len(pids), pids)
	}
	switch args[0] {
	case "pid":
		fmt.Fprintln(ts.Stdout(), pids[0])
	case "kill":
		fd, err := unix.PidfdOpen(pids[0], 0)
		ts.Check(err)
		defer unix.Close(fd)
		ts.Check(unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0))
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
		ts.Check(err)
	case "closed":
		checkOpenFiles(ts, pids[0])
	}
}

// forwarders are the processes that write a log in a script's data home and are
// forwarders.
func forwarders(work string) []int {
	var pids []int
	outs, _ := filepath.Glob("/proc/[0-9]*/fd/2")
	for _, out := range outs {
		to, _ := os.Readlink(out)
		if strings.HasPrefix(to, work+"/") && strings.Contains(to, "forwarder.log") {
			pid, _ := strconv.Atoi(strings.Split(out, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

// checkOpenFiles fails if a forwarder keeps a file of whoever started it.
func checkOpenFiles(ts *testscript.TestScript, pid int) {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil || cwd != "/" {
		ts.Fatalf("it works in %s, %v", cwd, err)
	}
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	ts.Check(err)
	for _, e := range entries {
		to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		ts.Check(err)
		switch base := filepath.Base(to); {
		case to == "/dev/null", base == "forwarder.log", base == "forwarder.lock":
		case strings.HasPrefix(to, "socket:"), strings.HasPrefix(to, "anon_inode:"), strings.HasPrefix(to, "/sys/fs/cgroup/"):
		case strings.HasPrefix(to, "pipe:"): // the news, and splice(2)'s
		default:
			ts.Fatalf("it keeps %s open", to)
		}
	}
}
