package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/provisioner"
	"github.com/berth-dev/berth/provisioner/provisionertest"

	"github.com/berth-dev/berth/internal/testenv"
)

// onHost is a guest whose commands run on the host, as its own user.
func onHost() *provisionertest.Guest {
	return &provisionertest.Guest{RunFunc: func(ctx context.Context, r provisionertest.Run) error {
		cmd := exec.CommandContext(ctx, r.Argv[0], r.Argv[1:]...)
		cmd.Env = os.Environ()
		for k, v := range r.Env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		cmd.Dir = r.Dir
		cmd.Stdin, cmd.Stdout, cmd.Stderr = r.Stdin, r.Stdout, r.Stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return &provisioner.ExitError{Argv: r.Argv, Status: exit.ExitCode()}
		}
		return err
	}}
}

// provision runs s and returns its error as text; nothing may be left in /tmp.
func provision(t *testing.T, s *shell, g *provisionertest.Guest) string {
	t.Helper()
	err := s.Provision(t.Context(), g)
	if runs := g.Runs(); len(runs) > 1 {
		last := runs[len(runs)-1].Argv
		if _, err := os.Stat(last[len(last)-1]); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", last[len(last)-1], err)
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestScripts(t *testing.T) {
	testenv.NeedTool(t, "bash")
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv("OUT", out)
	for name, c := range map[string]struct {
		shell shell
		file  string // the script's text, if it is one
		out   string
		err   string
	}{
		"inline":         {shell{Inline: []string{"x=1", `echo $x ${BASH_VERSION:+bash} ${BASH_ENV-unset} "$@" >$OUT`}, Args: []string{"a b", "c'd"}}, "", "1 bash unset a b c'd\n", ""},
		"env and dir":    {shell{Inline: []string{`echo "$K" $PWD >$OUT`}, Env: map[string]string{"K": "v w"}, Dir: "/"}, "", "v w /\n", ""},
		"stops":          {shell{Inline: []string{"echo one >$OUT", "false", "echo two >>$OUT"}}, "", "one\n", "inline script: exit status 1, at line 2"},
		"function":       {shell{}, "f() {\n\n  (exit 7)\n}\nf\n", "", "NAME: exit status 7, at line 3"},
		"explicit exit":  {shell{Args: []string{"--fast"}}, "exit 9\n", "", "NAME --fast: exit status 9"},
		"own trap":       {shell{}, "trap 'echo mine >$OUT' ERR\nfalse\n", "mine\n", "NAME: exit status 1"},
		"shebang":        {shell{}, "#! /usr/bin/env bash\nfalse\necho $0 >$OUT\nset -e\n\nfalse\n", "BASE\n", "NAME: exit status 1, at line 6"},
		"shebang sh":     {shell{}, "#!/bin/sh -e\r\necho a >$OUT\r\nfalse\r\n", "a\n", "NAME: exit status 1"},
		"not a shell":    {shell{}, "#!/usr/bin/awk -f\nBEGIN { print \"awk\" >ENVIRON[\"OUT\"] }\n", "awk\n", ""},
		"interpreter":    {shell{Interpreter: []string{"sh -u"}}, "#!/nonsense\necho ${BASH_VERSION-none} $- >$OUT\n", "", ""},
		"child scripts":  {shell{Inline: []string{"bash -c 'false; echo ${BASH_ENV-unset} >$OUT'"}}, "", "unset\n", ""},
		"subshell":       {shell{Inline: []string{"", "x=$(false)"}}, "", "", "inline script: exit status 1, at line 2"},
		"noclobber":      {shell{Inline: []string{"set -C", "", "false"}}, "", "", "inline script: exit status 1, at line 3"},
		"condition":      {shell{Inline: []string{"if false; then :; fi", "false || true", "! true", "echo ok >$OUT"}}, "", "ok\n", ""},
		"binary program": {shell{Script: "/bin/true"}, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			os.Remove(out)
			if c.file != "" {
				c.shell.Script = filepath.Join(t.TempDir(), "setup.sh")
				if err := os.WriteFile(c.shell.Script, []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			g := onHost()
			got := provision(t, &c.shell, g)
			if want := strings.ReplaceAll(c.err, "NAME", c.shell.Script); got != want {
				t.Errorf("error %q, want %q", got, want)
			}
			text, _ := os.ReadFile(out)
			if c.out == "BASE\n" {
				c.out = g.Runs()[1].Argv[len(g.Runs()[1].Argv)-1] + "\n"
			}
			if c.out != "" && string(text) != c.out {
				t.Errorf("out %q, want %q", text, c.out)
			}
			if strings.Contains(fmt.Sprint(g.Runs()[0].Argv), "echo one") {
				t.Error("the script is on a command line")
			}
		})
	}
}

// answers is a guest that stages and then gives an error to the script.
func answers(bash string, run error) *provisionertest.Guest {
	return &provisionertest.Guest{RunFunc: func(ctx context.Context, r provisionertest.Run) error {
		switch {
		case r.Input != nil:
			fmt.Fprintf(r.Stdout, "/tmp/berth-x %s\n", bash)
		case r.Argv[0] != "sh" || len(r.Argv) < 3 || r.Argv[1] != "-c":
			return run
		}
		return nil
	}}
}

func TestWithoutBash(t *testing.T) {
	g := answers("no", nil)
	s := New().(*shell)
	s.Inline = []string{"true"}
	if got := provision(t, s, g); got != "" {
		t.Fatal(got)
	}
	want := provisioner.Cmd{Argv: []string{"sh", "-e", "/tmp/berth-x/inline"}, Root: true}
	got := g.Runs()[1].Cmd
	got.Stdout, got.Stderr = nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !g.Runs()[2].Root || g.Runs()[0].Root {
		t.Error("the folder is made as the user and removed as root")
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var cleaned error = errors.New("not called")
	g := &provisionertest.Guest{}
	g.RunFunc = func(c context.Context, r provisionertest.Run) error {
		switch len(g.Runs()) {
		case 1:
			fmt.Fprintln(r.Stdout, "/tmp/berth-x yes")
		case 2:
			cancel()
			return c.Err()
		case 3:
			cleaned = c.Err()
		}
		return nil
	}
	err := (&shell{Inline: []string{"true"}}).Provision(ctx, g)
	if !errors.Is(err, context.Canceled) || cleaned != nil {
		t.Errorf("error %v, clean-up %v", err, cleaned)
	}
}

func TestValidate(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "s")
	if err := os.WriteFile(script, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s    shell
		want string
	}{
		{shell{Script: script}, ""},
		{shell{Inline: []string{"true"}, Env: map[string]string{"A_1": ""}}, ""},
		{shell{}, "inline: either inline or script must be set"},
		{shell{Inline: []string{"true"}, Script: script}, "script: script cannot be used together with inline"},
		{shell{Inline: []string{" ", ""}}, "inline: inline must not be empty"},
		{shell{Script: dir}, "script: " + dir + " is a folder, not a script"},
		{shell{Script: "/dev/null"}, "script: /dev/null is no regular file"},
		{shell{Script: "no.sh"}, "script: no.sh does not exist; a relative path is relative to the project's folder"},
		{shell{Inline: []string{"true"}, Interpreter: []string{" "}}, "interpreter: interpreter must not be empty"},
		{shell{Inline: []string{"true"}, Env: map[string]string{"A-B": ""}}, `env: "A-B" is no name of a variable: letters, digits and _, and no digit first`},
	} {
		got := ""
		if err := c.s.Validate(); err != nil {
			var arg *provisioner.ArgError
			if !errors.As(err, &arg) {
				t.Errorf("%v is no ArgError", err)
			}
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: got %q, want %q", c.s, got, c.want)
		}
	}
	if got := (&shell{Script: "a/b"}).Inputs(); len(got) != 1 || got[0] != "a/b" {
		t.Errorf("Inputs = %q", got)
	}
}

func TestShebang(t *testing.T) {
	for text, want := range map[string][]string{
		"echo":                         nil,
		"#!":                           nil,
		"#!/bin/sh":                    {"/bin/sh"},
		"#! /bin/sh -e \nx":            {"/bin/sh", "-e"},
		"#!/usr/bin/env -S python3 -u": {"/usr/bin/env", "-S python3 -u"},
	} {
		if diff := cmp.Diff(want, shebang([]byte(text))); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", text, diff)
		}
	}
}

// A box that says more than a command of ours can say is not believed, nor kept.
func TestLongAnswer(t *testing.T) {
	kept := 0
	g := &provisionertest.Guest{RunFunc: func(_ context.Context, r provisionertest.Run) error {
		for range 100 {
			n, err := r.Stdout.Write(make([]byte, 8<<10))
			if err != nil {
				return err
			}
			kept += n
		}
		return nil
	}}
	if got := provision(t, &shell{Inline: []string{"true"}}, g); !strings.Contains(got, "the box answers with more than 64 KiB") || kept > provisioner.MaxAnswer {
		t.Errorf("got %.200q, %d bytes kept", got, kept)
	}
}
