package engine

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/berth-dev/berth/config"
)

// hostFiles makes files, and links "name -> target".
func hostFiles(t *testing.T, top string, names ...string) {
	t.Helper()
	for _, n := range names {
		name, target, link := strings.Cut(n, " -> ")
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if link {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte("x"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What a step of a project's Envfile reads of the host.
func TestCheckInput(t *testing.T) {
	e, _, _ := newEngine(t, "box \"a\" {}\n")
	home, root := t.TempDir(), e.Envfile.Root
	t.Setenv("HOME", home)
	t.Setenv("SUDO_UID", "")
	hostFiles(t, home, ".ssh/id", ".netrc", "notes", "sub/x", "id")
	hostFiles(t, root, "own", "dir/own", "key -> "+home+"/.ssh/id", "notes -> "+home+"/notes", "sub -> "+home+"/sub", "within -> own", "id")
	hostFiles(t, e.Home.Dir(), "x")
	for _, tt := range []struct{ input, want string }{
		{"own", ""}, {root + "/own", ""}, {"dir", ""}, {"within", ""}, {"none", ""}, {".", ""},
		{"key", "is for keys and settings of your own"},
		{home + "/.ssh/id", "is for keys and settings of your own"},
		{home + "/.netrc", "is for keys and settings of your own"},
		{home, "holds the home"},
		{"notes", "by a symbolic link, which is not followed"},
		{"sub/../.ssh/id", "is for keys and settings of your own"},
		{"sub/../id", "by a symbolic link, which is not followed"},
		{"/proc/self/environ", "belongs to the host's system"},
		{e.Home.Dir() + "/x", "is Berth's own data"},
		{"/etc/shadow", "belongs to root, and other users may not read it"},
		{home + "/notes", ""},
		{"/etc", "belongs to root and is not in the project"},
		{"/etc/passwd", ""},
	} {
		err := e.checkInput(tt.input)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.input, err, tt.want)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	mine := filepath.Join(home, "notes")
	if err := os.Chown(mine, 1234, 1234); err != nil {
		t.Fatal(err)
	}
	if err := e.checkInput(mine); err == nil || !strings.Contains(err.Error(), "belongs to user 1234") {
		t.Errorf("another user's: %v", err)
	}
}

// What a reversed forward of a project's Envfile leads to. The user's own files may
// say what they like.
func TestCheckReversed(t *testing.T) {
	e, _, _ := newEngine(t, "box \"a\" {}\n")
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SUDO_UID", "")
	hostFiles(t, e.Envfile.Root, "docker.sock -> /run/docker.sock", "run -> /run")
	roots := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", roots)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for path, want := range map[string]string{
		"/run/docker.sock":                  "belongs to the host's system",
		"/var/run/docker.sock":              "belongs to the host's system",
		e.Envfile.Root + "/run/nobody":      "belongs to the host's system",
		home + "/.gnupg/S.gpg-agent":        "is for keys and settings of your own",
		e.Home.Dir() + "/s":                 "is Berth's own data",
		e.Envfile.Root + "/own.sock":        "",
		"/tmp/nobody-has-this/agent.sock":   "",
		roots:                               map[bool]string{true: "other users may not use it"}[os.Geteuid() == 0],
		e.Envfile.Root + "/../other/x.sock": "",
	} {
		f := config.Forward{Name: "f", Reverse: true, Protocol: "tcp", Host: config.Endpoint{Path: filepath.Clean(path)}}
		f.DeclRange.Filename = e.Envfile.Path
		diags := e.checkReversed([]*config.Box{{Name: "a", Forwards: []config.Forward{f}}})
		if (len(diags) == 0) != (want == "") || len(diags) > 0 && !strings.Contains(diags[0].Detail, want) {
			t.Errorf("%s: %v, want %q", path, diags, want)
		}
		f.DeclRange.Filename = config.LocalFileName
		if diags := e.checkReversed([]*config.Box{{Name: "a", Forwards: []config.Forward{f}}}); len(diags) > 0 {
			t.Errorf("%s, the user's own: %v", path, diags)
		}
	}
}

// A step of the project's Envfile stays that where it runs beside one of the user's.
func TestInputsBesideOwnSteps(t *testing.T) {
	e, _, _ := newEngine(t, "box \"a\" {}\n")
	block := &config.Provisioner{Type: "file", Personal: true, Body: hcl.EmptyBody()}
	block.DeclRange.Filename = e.Envfile.Path
	s := &step{block: block, inputs: []string{"/proc/self/environ"}}
	if diags := e.checkInputs("a", s, nil); len(diags) != 1 {
		t.Errorf("%v", diags)
	}
	block.DeclRange.Filename = config.LocalFileName
	if diags := e.checkInputs("a", s, nil); len(diags) != 0 {
		t.Errorf("the user's own: %v", diags)
	}
}
