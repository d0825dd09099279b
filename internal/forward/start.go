package forward

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Command is the hidden command of berth that is a forwarder.
const Command = "forwarder"

// The file descriptors that a forwarder inherits.
const (
	lockFD  = 3
	newsFD  = 4
	firstFD = 5 // the first socket
)

// Running is a forwarder that this process has started.
type Running struct {
	news  *bufio.Scanner
	pipe  *os.File
	ended chan struct{}
	dir   Dir
}

// Start starts a box's forwarder with its sockets, in a session of its own: it
// outlives this process. There must be none.
func Start(cfg Config, sockets []*Socket) (*Running, error) {
	lock, err := cfg.Dir.takeLock()
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	news, newsChild, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the forwarder: %w", err)
	}
	defer newsChild.Close()
	log, err := os.OpenFile(cfg.Dir.LogPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		news.Close()
		return nil, fmt.Errorf("start the forwarder: %w", err)
	}
	defer log.Close()
	if err := os.Remove(cfg.Dir.live()); err != nil && !errors.Is(err, os.ErrNotExist) { // an earlier one's
		news.Close()
		return nil, fmt.Errorf("start the forwarder: %w", err)
	}
	inherited := []*os.File{lockFD - 3: lock, newsFD - 3: newsChild}
	for _, s := range sockets {
		inherited = append(inherited, s.file)
	}
	r := &Running{pipe: news, news: bufio.NewScanner(news), ended: make(chan struct{}), dir: cfg.Dir}
	if err := r.launch(cfg, log, inherited); err != nil {
		news.Close()
		return nil, fmt.Errorf("start the forwarder: %w", err)
	}
	return r, nil
}

// launch starts the process and gives it its configuration. One that does not get
// all of that ends, so that there is none whose number is not on record.
func (r *Running) launch(cfg Config, log *os.File, inherited []*os.File) error {
	text, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"berth", Command, cfg.Box}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = inherited
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// What this process was given open, and go's own files are anyway, is not for a
	// process that lives on: it would keep a pipe or a disk busy.
	if err := unix.CloseRange(lockFD, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close what is not to be inherited: %w", err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(r.ended)
		_ = cmd.Wait() // so that no zombie is left while this process lives
	}()
	lock := inherited[lockFD-3]
	if _, err := fmt.Fprintf(io.NewOffsetWriter(lock, 0), "%d\n", cmd.Process.Pid); err != nil {
		in.Close()
		return err
	}
	_, err = io.Copy(in, bytes.NewReader(text))
	return errors.Join(err, in.Close())
}

// Next returns the forwarder's next news, waiting for it. It returns false when
// the forwarder has ended, or r is closed.
func (r *Running) Next() (News, bool) {
	for r.news.Scan() {
		var n News
		if json.Unmarshal(r.news.Bytes(), &n) == nil {
			return n, true
		}
	}
	return News{}, false
}

// Ready waits until the forwarder has a connection to the box and reversed forwards
// have been tried, and returns what is wrong with those.
func (r *Running) Ready(ctx context.Context) (problems []string, err error) {
	stop := context.AfterFunc(ctx, r.Close)
	defer stop()
	for {
		n, ok := r.Next()
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("wait for the forwarder: %w", ctx.Err())
		case !ok:
			return nil, fmt.Errorf("the forwarder ended at once; the end of %s:\n%s", r.dir.LogPath(), r.dir.logTail())
		case n.Ready:
			return n.Problems, nil
		}
	}
}

// Close stops listening to the forwarder, which goes on.
func (r *Running) Close() { r.pipe.Close() }

func (d Dir) logTail() string {
	const most = 1000
	b, _ := os.ReadFile(d.LogPath()) // only to help understand
	return strings.TrimSpace(string(b[max(0, len(b)-most):]))
}
