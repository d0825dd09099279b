package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/berth-dev/berth/config"
	"github.com/berth-dev/berth/internal/ui"
)

// copies returns the folders of a box that are copied into it.
func copies(b *config.Box) []config.Folder {
	var all []config.Folder
	for _, f := range b.Folders {
		if f.Type == config.FolderRsync {
			all = append(all, f)
		}
	}
	return all
}

// HasCopies reports whether folders are copied into a box.
func HasCopies(b *config.Box) bool { return len(copies(b)) > 0 }

// ErrNothingToCopy means that boxes have no folder that is copied.
var ErrNothingToCopy = errors.New(`no folder of these boxes is copied: write type = "rsync" in a folder block`)

// Rsync copies the folders of running boxes into them, and with watch set goes
// on to copy what changes until ctx ends. It takes no lock, so that it works
// beside other commands.
func (e *Engine) Rsync(ctx context.Context, boxes []*config.Box, watch bool) error {
	if err := e.checkFolders(boxes); err != nil {
		return err
	}
	var g errgroup.Group
	found := false
	for _, b := range boxes {
		for _, f := range copies(b) {
			found = true
			g.Go(func() error {
				c := &copier{engine: e, box: b, folder: f, voice: e.UI.Box(b.Name)}
				var err error
				if watch {
					err = c.watch(ctx)
				} else {
					err = c.copy(ctx)
				}
				if err != nil {
					return fmt.Errorf("copy %s into box %q: %w", f.Source, b.Name, err)
				}
				return nil
			})
		}
	}
	if !found {
		return ErrNothingToCopy
	}
	return g.Wait()
}

// copyFolders copies what a box that can be entered is to have copies of.
func (e *Engine) copyFolders(ctx context.Context, t *target) error {
	for _, f := range copies(t.box) {
		t.voice.Say("copying %s to %s", f.Source, f.Target)
		c := &copier{engine: e, box: t.box, folder: f, voice: t.voice}
		if err := c.copy(ctx); err != nil {
			return fmt.Errorf("copy %s: %w", f.Source, err)
		}
	}
	return nil
}

// copier copies one folder into one box.
type copier struct {
	engine *Engine
	box    *config.Box
	folder config.Folder
	voice  *ui.Box
}

// copy runs rsync(1) once. How the box is entered is looked up each time: it may
// have been made anew.
func (c *copier) copy(ctx context.Context) error {
	access, err := c.engine.Access(c.box)
	if err != nil {
		return err
	}
	for _, tool := range []string{"rsync", "ssh"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed on this host: install it (Debian, Ubuntu: apt-get install rsync openssh-client)", tool)
		}
	}
	dir, err := os.MkdirTemp("", "berth-rsync-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	conf := filepath.Join(dir, "ssh_config")
	var text bytes.Buffer
	options := append(access.SSHOptions(), SSHOption{"ConnectTimeout", "5"}, SSHOption{"BatchMode", "yes"})
	if err := WriteSSHHost(&text, access.Record.ID, options); err != nil {
		return err
	}
	if err := os.WriteFile(conf, text.Bytes(), 0o600); err != nil {
		return err
	}
	source, err := c.engine.openCopy(c.folder)
	if err != nil {
		return err
	}
	defer source.Close()
	cmd := exec.CommandContext(ctx, "rsync", c.args(access, conf)...)
	cmd.ExtraFiles = []*os.File{source} // as sourceFD
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		said := strings.ReplaceAll(stderr.String(), fdPath(sourceFD), c.engine.folderPath(c.folder.Source))
		return c.engine.explainRsync(ctx, access, err, said)
	}
	c.engine.Heal(ctx, access)
	return nil
}

// sourceFD is the folder's descriptor in rsync: the first after the standard
// ones.
const sourceFD = 3

// args are rsync's arguments: one way, deleting what is gone, and all of it the
// login user's, whose group is named like the user.
func (c *copier) args(a Access, sshConfig string) []string {
	user := a.Record.SSH.User
	args := []string{
		"--recursive", "--links", "--perms", "--times", "--owner", "--group", "--chown=" + user + ":" + user,
		"--delete", "-s",
		// Down to the nanosecond: else a second change within a second, which leaves
		// the size as it was, is missed.
		"--modify-window=-1",
		"--rsh=ssh -F " + rshQuote(sshConfig),
		// As root, since steps may have made files there. The words are for a shell in the box.
		"--rsync-path=sudo -n mkdir -p -- " + shellQuote(c.folder.Target) + " && sudo -n rsync",
	}
	for _, p := range c.folder.Exclude {
		args = append(args, "--exclude="+p)
	}
	args = append(args, "--exclude=/.berth")
	return append(args, fdPath(sourceFD)+"/", a.Record.ID+":"+c.folder.Target+"/")
}

// rshQuote quotes a word of rsync's --rsh: there a doubled quote stands for one.
func rshQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// shellQuote quotes a word for a shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// errNoAnswer is a box that could not be reached.
var errNoAnswer = errors.New("the box does not answer")

// explainRsync says why rsync failed (rsync(1), "EXIT VALUES").
func (e *Engine) explainRsync(ctx context.Context, a Access, err error, said string) error {
	said = strings.TrimSpace(ui.Printable(said, false))
	const sshFailed = 255
	var exit *exec.ExitError
	switch {
	case strings.Contains(said, "rsync: command not found"), strings.Contains(said, "rsync: not found"):
		return errors.New("rsync is not installed in the box: install it there (apt-get install rsync)")
	case errors.As(err, &exit) && exit.ExitCode() == sshFailed, strings.Contains(said, "ssh: connect to host"):
		return e.Explain(ctx, a, fmt.Errorf("%w: %s", errNoAnswer, said))
	}
	return fmt.Errorf("rsync: %w\n%s", err, said)
}
