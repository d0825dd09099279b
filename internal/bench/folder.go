package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// folderUser owns the folder: the box's dev has the same id, so that git finds
// its index good on both sides.
const folderUser = 1000

// folders measures a bound folder, inside beside outside, run by run, with this
// same program on both sides.
func (b *bench) folders() error {
	text := `box "b0" {
  image = "debian:bookworm"
  folder "shared" { target = "/shared" }
  provisioner "shell" { inline = "apt-get update -q && apt-get install -qy --no-install-recommends git" }
}
`
	shared := filepath.Join(b.dir, "shared")
	if err := errors.Join(os.Mkdir(shared, 0o755), os.WriteFile(filepath.Join(b.dir, "Envfile"), []byte(text), 0o644),
		os.Chown(b.dir, folderUser, folderUser), os.Chown(shared, folderUser, folderUser), b.copySelf(shared)); err != nil {
		return err
	}
	if _, err := b.output("up"); err != nil {
		return err
	}
	names := workNames()
	outside, inside := map[string]*row{}, map[string]*row{}
	for _, name := range names {
		outside[name] = &row{what: name + ", outside"}
		inside[name] = &row{what: name + ", in a box's folder", floor: "the same outside"}
	}
	for i := range b.runs + 1 {
		// Taking turns in being first, since the second pays for the writing back
		// of what the first wrote.
		var in, out map[string]time.Duration
		sides := []func() error{
			func() (err error) { out, err = b.workOutside(shared); return err },
			func() (err error) { in, err = b.workInside(); return err },
		}
		if err := errors.Join(sides[i%2](), sides[1-i%2]()); err != nil {
			return err
		}
		if i == 0 { // makes the repository, and warms the caches
			continue
		}
		for _, name := range names {
			outside[name].took = append(outside[name].took, out[name])
			inside[name].took = append(inside[name].took, in[name])
		}
	}
	for _, name := range names {
		b.rows = append(b.rows, *inside[name], *outside[name])
	}
	_, err := b.output("destroy", "-f")
	return err
}

// copySelf puts this program, which is linked statically, where the box sees it.
func (b *bench) copySelf(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, "bench"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

func (b *bench) workInside() (map[string]time.Duration, error) {
	out, err := b.output("ssh", "-T", "-c", "/shared/bench -work /shared")
	return parseWork(out, err)
}

func (b *bench) workOutside(dir string) (map[string]time.Duration, error) {
	cmd := exec.CommandContext(b.ctx, filepath.Join(dir, "bench"), "-work", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: folderUser, Gid: folderUser}}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	return parseWork(out, err)
}

func parseWork(out []byte, err error) (map[string]time.Duration, error) {
	if err != nil {
		return nil, fmt.Errorf("work in the folder: %w", err)
	}
	took := map[string]time.Duration{}
	return took, json.Unmarshal(out, &took)
}

// workFiles is how many small files the work is about.
const workFiles = 10000

// works are done in this order. All but the first take the files of those before.
var works = []struct {
	name string
	do   func(dir string) error
}{
	{"make 10,000 small files", eachFile(func(f string) error { return os.WriteFile(f, make([]byte, 100), 0o644) })},
	{"stat them", eachFile(func(f string) error { _, err := os.Stat(f); return err })},
	{"read them", eachFile(func(f string) error { _, err := os.ReadFile(f); return err })},
	{"remove them", eachFile(os.Remove)},
	{"git status among 10,000 files", gitStatus},
}

func workNames() []string {
	var names []string
	for _, w := range works {
		names = append(names, w.name)
	}
	return names
}

// work does the work in dir and writes how long each part took. It goes there
// first, as git does: from "/" on, each name would cost a walk through the box's
// overlay as well (0.7 µs), which is no matter of the folder.
func work(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	dir = "."
	if err := makeRepository(filepath.Join(dir, "repository")); err != nil {
		return err
	}
	took := map[string]time.Duration{}
	for _, w := range works {
		begin := time.Now()
		if err := w.do(dir); err != nil {
			return err
		}
		took[w.name] = time.Since(begin)
	}
	return errors.Join(os.RemoveAll(filepath.Join(dir, "files")), json.NewEncoder(os.Stdout).Encode(took))
}

// eachFile calls f for the files, 100 in a folder.
func eachFile(f func(name string) error) func(dir string) error {
	return func(dir string) error { return inFolders(filepath.Join(dir, "files"), f) }
}

func inFolders(dir string, f func(name string) error) error {
	for i := range workFiles {
		sub := filepath.Join(dir, fmt.Sprintf("d%02d", i/100))
		if i%100 == 0 {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				return err
			}
		}
		if err := f(filepath.Join(sub, fmt.Sprintf("f%02d", i%100))); err != nil {
			return err
		}
	}
	return nil
}

func makeRepository(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
		return nil
	}
	err := inFolders(dir, func(f string) error { return os.WriteFile(f, []byte(f), 0o644) })
	for _, args := range []string{"init -q", "add .", "-c user.name=bench -c user.email=bench commit -qm files"} {
		err = errors.Join(err, git(dir, strings.Fields(args)...))
	}
	return err
}

func gitStatus(dir string) error {
	return git(filepath.Join(dir, "repository"), "status", "--porcelain")
}

func git(dir string, args ...string) error {
	cmd := exec.CommandContext(context.Background(), "git", append([]string{"-C", dir}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w\n%s", args[0], err, out)
	}
	return nil
}
