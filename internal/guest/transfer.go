package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"

	"github.com/berth-dev/berth/provisioner"
)

// Where distributions keep sftp-server: Debian, Fedora, Arch and openSUSE, Alpine
// and others. sshd's own subsystem serves the login user only.
const rootSFTP = `exec sudo -n -H -- sh -c 'for s in /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server ` +
	`/usr/lib/ssh/sftp-server /usr/libexec/sftp-server /usr/lib/sftp-server; do ` +
	`if [ -x $s ]; then exec $s; fi; done; echo sftp-server not found >&2; exit 127'`

// A transfer copies files over a channel of its own, so that the end of its
// context can close it without harm to another.
type transfer struct {
	*sftp.Client
	client *Client
	proc   *process
	root   bool
	serial atomic.Int64
	prefix string // of temporary names
	stop   func() bool
	copied func(n int64) // told of every n bytes of content; may be nil
	answer *meter        // what the box answers
}

func (t *transfer) count(n int) {
	if t.copied != nil && n > 0 {
		t.copied(int64(n))
	}
}

func (c *Client) transfer(ctx context.Context, root bool) (*transfer, error) {
	r := request{name: "subsystem", payload: &struct{ Name string }{"sftp"}}
	root = root && c.target.User != "root"
	if root {
		r = execRequest(rootSFTP)
	}
	p, err := c.start(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("start sftp in the box: %w", err)
	}
	var failed error
	said := &tail{}
	p.copy(said, p.ch.Stderr(), &failed)
	stop := context.AfterFunc(ctx, p.hangUp)
	answer := &meter{r: p.ch}
	s, err := sftp.NewClientPipe(answer, p.ch, sftp.UseConcurrentWrites(true))
	if err != nil {
		stop()
		p.drain(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, c.noSFTP(p, said, root)
	}
	return &transfer{Client: s, client: c, proc: p, root: root, prefix: ".berth-" + newTag()[:12] + "-", stop: stop, answer: answer}, nil
}

// hangUpLimit is how long a box may take to agree to the end of a channel.
const hangUpLimit = 3 * time.Second

// hangUp closes the channel. That ends what waits for it only when the box
// answers (RFC 4254, section 5.3): without an answer the connection ends.
func (p *process) hangUp() {
	go p.ch.Close() // it may wait for a box that takes nothing any more
	select {
	case <-p.ended:
	case <-time.After(hangUpLimit):
		p.client.conn.Close()
	}
}

// noSFTP says why the other end did not come up.
func (c *Client) noSFTP(p *process, said *tail, root bool) error {
	select {
	case <-p.exited:
	case <-time.After(drainPatience.idle):
		return errors.New("start sftp in the box: no sense in its answer")
	}
	err := p.result([]string{"sftp-server"}, said.String())
	if root {
		err = sudoTrouble(err, c.target.User)
	}
	var exit *provisioner.ExitError
	switch {
	case errors.As(err, &exit) && exit.Stderr != "":
		return fmt.Errorf("start sftp in the box: %s", exit.Stderr)
	case err == nil, errors.Is(err, provisioner.ErrConnection) && c.alive():
		err = errors.New("it ended at once")
	}
	return fmt.Errorf("start sftp in the box: %w (is openssh-sftp-server installed?)", err)
}

func (t *transfer) close() {
	t.Client.Close() // waits for the box, so that the end of the context still counts
	t.stop()
	t.proc.ch.Close()
}

// temp names a temporary file beside p.
func (t *transfer) temp(p string) string {
	return path.Join(path.Dir(p), fmt.Sprintf("%s%d", t.prefix, t.serial.Add(1)))
}

// explain says what an error of the box's side means. p is the file concerned.
func (t *transfer) explain(ctx context.Context, p string, err error) error {
	var status *sftp.StatusError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, sftp.ErrSSHFxConnectionLost) || !t.client.alive():
		return t.client.lost(nil)
	case errors.Is(err, fs.ErrPermission) && !t.root:
		return fmt.Errorf("%s in the box: %w for user %s: write it as root, or elsewhere", p, fs.ErrPermission, t.client.target.User)
	case errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxFailure:
		// Version 3 of the protocol has one code for all other errors.
		return fmt.Errorf("%s in the box: %s", p, t.failure(p))
	}
	return fmt.Errorf("%s in the box: %w", p, err)
}

// failure finds out what a mere "failure" stands for.
func (t *transfer) failure(p string) string {
	if st, err := t.Stat(p); err == nil && st.IsDir() {
		return "there is a folder of that name"
	}
	if st, err := t.Stat(path.Dir(p)); err == nil && !st.IsDir() {
		return path.Dir(p) + " is not a folder"
	}
	const readOnly = 1 // SSH_FXE_STATVFS_ST_RDONLY of OpenSSH's PROTOCOL
	if vfs, err := t.StatVFS(path.Dir(p)); err == nil {
		switch {
		case vfs.Flag&readOnly != 0:
			return "the file system is read-only"
		case vfs.Bavail == 0 || vfs.Files > 0 && vfs.Favail == 0:
			return "no space is left"
		}
	}
	return "sftp-server gives no reason; the disk may be full or the name too long"
}
