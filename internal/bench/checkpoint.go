package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// longSteps take over 30 s and leave 10,000 files and 100 MB.
const longSteps = `
  provisioner "shell" "tools" { inline = "sleep 16; head -c 100M /dev/urandom >/opt/big" }
  provisioner "shell" "files" { inline = "sleep 16; mkdir /srv/f; cd /srv/f; for d in $(seq 100); do mkdir $d; for i in $(seq 100); do echo $i >$d/$i; done; done" }
`

// checkpoints measures what is kept of boxes, and boxes that are made from it.
func (b *bench) checkpoints() error {
	if err := b.recreate(); err != nil {
		return err
	}
	if err := b.manyFiles(); err != nil {
		return err
	}
	return b.forks()
}

// recreate measures new boxes with long steps and without any, taking turns.
func (b *bench) recreate() error {
	envfile := func(steps string) error {
		text := "box \"b0\" {\n  image = \"debian:bookworm\"" + steps + "}\n"
		return os.WriteFile(filepath.Join(b.dir, "Envfile"), []byte(text), 0o600)
	}
	with := row{what: "up (new box, its 32 s of steps from checkpoints), then ssh -c true", floor: "the same without steps"}
	without := row{what: "up (new box without steps), then ssh -c true"}
	if err := errors.Join(envfile(longSteps), b.command("up", "--no-cache")(), b.command("destroy", "-f")()); err != nil {
		return err
	}
	for range b.runs {
		for steps, r := range map[string]*row{longSteps: &with, "\n": &without} {
			if err := envfile(steps); err != nil {
				return err
			}
			took, err := b.timed(func() error { return errors.Join(b.command("up")(), b.command("ssh", "-c", "true")()) })
			if err := errors.Join(err, b.command("destroy", "-f")()); err != nil {
				return err
			}
			r.took = append(r.took, took)
		}
	}
	b.rows = append(b.rows, with, without)
	return nil
}

// still is in what berth says when it has kept a disk.
var still = regexp.MustCompile(`stood still for (\S+)`)

// manyFiles measures a snapshot of a running box after 10,000 files have changed.
func (b *bench) manyFiles() error {
	if err := errors.Join(b.writeEnvfile(1), b.command("up")()); err != nil {
		return err
	}
	all := row{what: "snapshot save of a running box with 10,000 changed files"}
	stands := row{what: "for which the box stands still"}
	for range b.runs {
		const change = "sudo sh -c 'mkdir -p /srv/f; cd /srv/f; for d in $(seq 100); do mkdir -p $d; for i in $(seq 100); do echo $$.$i >$d/$i; done; done'"
		if err := b.command("ssh", "-c", change)(); err != nil {
			return err
		}
		cmd := exec.CommandContext(b.ctx, b.berth, "snapshot", "save", "s")
		cmd.Dir, cmd.Env = b.dir, append(os.Environ(), "BERTH_HOME="+b.home)
		begin := time.Now()
		out, err := cmd.CombinedOutput()
		all.took = append(all.took, time.Since(begin))
		m := still.FindSubmatch(out)
		if err != nil || m == nil {
			return fmt.Errorf("snapshot save: %w\n%s", err, out)
		}
		d, err := time.ParseDuration(string(m[1]))
		if err := errors.Join(err, b.command("snapshot", "delete", "s")()); err != nil {
			return err
		}
		stands.took = append(stands.took, d)
	}
	b.rows = append(b.rows, all, stands)
	return nil
}

// forks measures forks of the box with its 10,000 files, and what ten of them
// take of the disk.
func (b *bench) forks() error {
	if err := b.command("snapshot", "save", "before")(); err != nil { // else the first has all to copy
		return err
	}
	n := 0
	name := func() string { return fmt.Sprintf("fork-%d", n) }
	before, err := used(b.home)
	if err != nil {
		return err
	}
	err = b.repeat("fork of a running box, until it can be entered", "up (new box without steps)",
		func() error { n++; return nil },
		func() error { return b.command("fork", "b0", name())() }, nil)
	for ; err == nil && n < 10; err = b.command("fork", "b0", name())() {
		n++
	}
	if err != nil {
		return err
	}
	after, err := used(b.home)
	if err != nil {
		return err
	}
	b.notes = append(b.notes, fmt.Sprintf("%d running forks of a box take %.1f MiB of the disk.", n, float64(after-before)/(1<<20)))
	return b.command("destroy", "-f")()
}

// used returns how many bytes a folder takes of the disk.
func used(dir string) (bytes int64, err error) {
	seen := map[uint64]bool{}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // it went meanwhile
		}
		info, err := e.Info()
		if err != nil {
			return nil
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if ok && !seen[st.Ino] && !strings.Contains(path, "/layers/.new-") {
			seen[st.Ino] = true
			bytes += st.Blocks * 512
		}
		return nil
	})
	return bytes, err
}
