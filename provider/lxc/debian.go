package lxc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/berth-dev/berth/provider"
)

// packages are what makes a Debian minimal system a box: an init, a way in, and
// what people and configuration tools expect at once.
var packages = []string{
	"systemd", "systemd-sysv", "dbus", "libpam-systemd",
	"openssh-server", "sudo", "python3", "rsync",
	"iproute2", "iputils-ping", "netbase", "ca-certificates", "curl",
	"less", "nano", "procps", "bash-completion",
}

// userHook makes the login user. The words are fixed: no data gets into it.
const userHook = `chroot "$1" useradd --create-home --uid 1000 --shell /bin/bash --comment "Berth user" dev && ` +
	`chroot "$1" passwd --quiet --lock dev`

// dpkgOptions go into the image as well. A box's disk can be made again, so
// packages need not be synced to it file by file.
var dpkgOptions = []string{"force-unsafe-io"}

// recipe is everything that decides what an image of a suite holds, for its
// key.
func recipe(suite string) []string {
	parts := append([]string{suite, userHook, packagesHook, buildEpoch}, packages...)
	parts = append(parts, dpkgOptions...)
	parts = append(parts, maskedUnits...)
	for _, f := range imageFiles {
		parts = append(parts, fmt.Sprintf("%s %o %s", f.path, f.mode, f.text))
	}
	return parts
}

// bootstrap builds the image's tree with mmdebstrap in dir, which must not
// exist. It runs in pid and mount namespaces of its own: when it is killed, or
// this process is, no process and no mount is left.
func (p *lxcProvider) bootstrap(ctx context.Context, suite, dir string, report provider.Report) error {
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		return errors.New("mmdebstrap is not installed\nInstall it: apt-get install mmdebstrap debian-archive-keyring")
	}
	args := []string{"--variant=minbase", "--mode=root", "--format=directory",
		"--include=" + strings.Join(packages, ","), "--customize-hook=" + userHook, "--customize-hook=" + packagesHook}
	for _, o := range dpkgOptions {
		args = append(args, "--dpkgopt="+o)
	}
	args = append(args, suite, dir)
	if p.Mirror != "" {
		args = append(args, p.Mirror)
	}
	if err := runBuilder(ctx, report, "mmdebstrap", args...); err != nil {
		return err
	}
	return finishImage(dir)
}

// runBuilder runs a program that reports its progress on stderr in lines that
// begin with "I: ".
func runBuilder(ctx context.Context, report provider.Report, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+buildEpoch)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:       true,
		Cloneflags:   syscall.CLONE_NEWPID,
		Unshareflags: syscall.CLONE_NEWNS, // and no mount in it reaches the host
		Pdeathsig:    syscall.SIGKILL,
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd.Stderr = w
	err = cmd.Start()
	w.Close()
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	problems := followBuilder(r, report)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("%s: %w\n%s%s", filepath.Base(name), err, strings.Join(problems, "\n"), builderHint(problems))
	}
	return nil
}

// followBuilder reports progress until the end of r and returns the last lines
// that were something else.
func followBuilder(r io.Reader, report provider.Report) (problems []string) {
	const keep = 12
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "I: running --customize-hook") {
			continue // a shell's command line is no news
		}
		if info, ok := strings.CutPrefix(line, "I: "); ok {
			report.Step(strings.TrimSuffix(info, "..."))
		} else if line != "" {
			problems = append(problems, line)
			problems = problems[max(0, len(problems)-keep):]
		}
	}
	return problems
}

const diskFullHint = "\nThe disk is full: an image needs about 400 MB. Free some space, or move the data folder with $BERTH_HOME."

// builderHint says what to do about the causes that users meet.
func builderHint(problems []string) string {
	text := strings.Join(problems, "\n")
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("No space left on device"):
		return diskFullHint
	case has("Could not resolve", "Temporary failure resolving", "Could not connect", "Network is unreachable", "Connection timed out", "Connection failed"):
		return "\nThe Debian mirror cannot be reached. Check the network (and http_proxy), or name another mirror: " +
			`provider "lxc" { mirror = "http://…" }.`
	case has("NO_PUBKEY", "is not signed", "keyring"):
		return "\nThe mirror's signature cannot be checked. Install debian-archive-keyring."
	}
	return ""
}
