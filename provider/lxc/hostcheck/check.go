package hostcheck

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/berth-dev/berth/provider"
)

// Env is a host and who wants to run boxes on it.
type Env struct {
	Host
	UID     int
	User    string // name of the user
	DataDir string // where the provider keeps boxes
}

// Rootless reports whether boxes are a plain user's.
func (e Env) Rootless() bool { return e.UID != 0 }

// Result is what one check found.
type Result struct {
	Verdict provider.Verdict
	Read    string // what was found
	Problem string
	Fix     string
}

func good(read string) Result                 { return Result{Verdict: provider.Good, Read: read} }
func broken(read, problem, fix string) Result { return Result{provider.Broken, read, problem, fix} }
func weak(read, problem, fix string) Result   { return Result{provider.Weak, read, problem, fix} }

// untried is a check that cannot be made, and why.
func untried(why string) Result { return Result{Verdict: provider.Untried, Read: why} }

// Check is one hop.
type Check struct {
	Code, Chain, Name string
	For               func(Env) bool // whether it concerns this user; nil: it does
	First             bool           // it costs nothing, and every `up` makes it
	Try               func(context.Context, Env) Result
}

func (c Check) concerns(e Env) bool { return c.For == nil || c.For(e) }

func (c Check) hop(r Result) provider.Hop {
	return provider.Hop{Chain: c.Chain, Name: c.Name, Code: c.Code, Verdict: r.Verdict, Read: r.Read, Problem: r.Problem, Fix: r.Fix}
}

func rootless(e Env) bool { return e.Rootless() }

// All returns all checks, those of a chain together and in order.
func All() []Check {
	return slices.Concat(kernelChecks, lxcChecks, imageChecks, idChecks, cgroupChecks, appArmorChecks,
		networkChecks, diskChecks, inotifyChecks)
}

// Examine makes all checks that concern the user.
func Examine(ctx context.Context, e Env) ([]provider.Hop, error) { return examine(ctx, e, All()) }

// examine makes checks; after a broken one the rest of its chain is not tried.
func examine(ctx context.Context, e Env, checks []Check) ([]provider.Hop, error) {
	var hops []provider.Hop
	stuck := map[string]string{} // chain -> code
	for _, c := range checks {
		if !c.concerns(e) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if code := stuck[c.Chain]; code != "" {
			hops = append(hops, c.hop(untried("since "+code+" is broken")))
			continue
		}
		r := c.Try(ctx, e)
		if r.Verdict == provider.Broken {
			stuck[c.Chain] = c.Code
		}
		hops = append(hops, c.hop(r))
	}
	return hops, nil
}

// First makes the checks that cost nothing and returns what is broken, each as a
// *provider.Problem.
func First(ctx context.Context, e Env) error {
	checks := slices.DeleteFunc(All(), func(c Check) bool { return !c.First })
	hops, err := examine(ctx, e, checks)
	if err != nil {
		return err
	}
	var problems []error
	for _, h := range hops {
		if h.Verdict == provider.Broken {
			problems = append(problems, &provider.Problem{Code: h.Code, Text: h.Problem, Fix: h.Fix})
		}
	}
	return errors.Join(problems...)
}

// setup is what heals all that a user must have been given by root.
const setup = "sudo berth setup"

// heal returns what heals something: for a plain user all of it is done by setup.
func (e Env) heal(asRoot string) string {
	if e.Rootless() {
		return setup
	}
	return asRoot
}

// install returns the command that installs packages on this host.
func (e Env) install(packages string) string {
	b, _ := e.ReadFile("/etc/os-release") // without it no command is known
	ids := " "
	for line := range strings.Lines(string(b)) {
		if key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key == "ID" || key == "ID_LIKE" {
			ids += strings.Trim(value, `"`) + " "
		}
	}
	sudo := ""
	if e.Rootless() {
		sudo = "sudo "
	}
	for _, m := range [][2]string{
		{"debian", "apt-get install "}, {"ubuntu", "apt-get install "}, {"fedora", "dnf install "}, {"rhel", "dnf install "},
		{"arch", "pacman -S "}, {"suse", "zypper install "}, {"opensuse", "zypper install "},
	} {
		if strings.Contains(ids, " "+m[0]+" ") {
			return sudo + m[1] + packages
		}
	}
	return "install with your package manager: " + packages
}

// text returns a file's content without space around it; empty when it cannot be
// read.
func (e Env) text(name string) string {
	b, err := e.ReadFile(name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
