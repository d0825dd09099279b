package guest

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An input is what a command reads, on its way into the box.
type input struct {
	failed chan error    // takes an error of the reader
	done   chan struct{} // closed when nothing more is read
	hold   io.Closer     // ends the reading of a file; nil: what is read is none
}

// feed sends the header and then r, and reports an error of r only: that of the
// channel comes from a command that reads no further.
func (p *process) feed(line string, r io.Reader) *input {
	in := &input{failed: make(chan error, 1), done: make(chan struct{})}
	file := p.fileInput(r)
	if file != nil {
		r, in.hold = file, file.hold
	}
	go func() {
		defer close(in.done)
		defer file.close()
		defer p.ch.CloseWrite()
		if _, err := io.WriteString(p.ch, line); err != nil || r == nil {
			return
		}
		from := &readErrors{r: r}
		io.Copy(p.ch, from)
		if from.err != nil {
			in.failed <- fmt.Errorf("read standard input of command: %w", from.err)
			<-p.exited // no end of file before the command is killed
		}
	}()
	return in
}

// inputLimit bounds the wait for a read that is under way.
const inputLimit = time.Second

// stop ends the reading of a file once the command has ended, lest it swallows
// what is for the next command, or for this host. Any other reader is let go.
func (in *input) stop() {
	if in.hold == nil {
		return
	}
	in.hold.Close()
	select {
	case <-in.done:
	case <-time.After(inputLimit):
	}
}

// A fileInput reads a file, a terminal say, for a command: only when there is
// something to read, and nothing once the command has ended.
type fileInput struct {
	file       *os.File
	conn       syscall.RawConn // of the file
	wake, hold *os.File        // a pipe, which is at its end when hold is closed
	ended      <-chan struct{}
}

// fileInput returns nil for what is no file or cannot be waited for.
func (p *process) fileInput(r io.Reader) *fileInput {
	file, ok := r.(*os.File)
	if !ok {
		return nil
	}
	conn, err := file.SyscallConn()
	if err != nil {
		return nil
	}
	wake, hold, err := os.Pipe()
	if err != nil {
		return nil
	}
	return &fileInput{file: file, conn: conn, wake: wake, hold: hold, ended: p.exited}
}

func (f *fileInput) close() {
	if f != nil {
		f.wake.Close()
	}
}

func (f *fileInput) Read(b []byte) (int, error) {
	var waited error
	err := f.conn.Control(func(fd uintptr) { waited = f.wait(int32(fd), int32(f.wake.Fd())) })
	if err == nil {
		err = waited
	}
	if err != nil {
		return 0, err
	}
	return f.file.Read(b)
}

// wait waits until the file can be read. It returns io.EOF when nobody reads on.
func (f *fileInput) wait(file, wake int32) error {
	for {
		fds := []unix.PollFd{{Fd: file, Events: unix.POLLIN}, {Fd: wake, Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		select {
		case <-f.ended:
			return io.EOF
		default:
		}
		if err == nil && fds[1].Revents != 0 {
			return io.EOF
		}
		if err == nil && fds[0].Revents != 0 {
			return nil
		}
	}
}

// readErrors remembers an error of its reader.
type readErrors struct {
	r   io.Reader
	err error
}

func (r *readErrors) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
