package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Where there is no Envfile, what may be meant for one is named.
func TestFindMistaken(t *testing.T) {
	touch := func(path string) error { return os.WriteFile(path, nil, 0o600) }
	for _, tt := range []struct {
		name string
		make func(path string) error
		want string
	}{
		{"Envfile", func(path string) error { return os.Mkdir(path, 0o700) }, " (PATH is a folder); "},
		{"Envfile", func(path string) error { return os.Symlink("nowhere", path) }, " (PATH is a link that leads to no file); "},
		{"Envfile", func(path string) error { return syscall.Mkfifo(path, 0o600) }, " (PATH is not a regular file); "},
		{"envfile", touch, " (PATH would have to be named Envfile); "},
		{"Envfile.hcl", touch, " (PATH would have to be named Envfile); "},
		{"envfile", func(path string) error { return os.Mkdir(path, 0o700) }, " above it; "},
		{LocalFileName, touch, " above it; "},
		{"Envfile.lock", touch, " above it; "},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, tt.name)
		if err := tt.make(path); err != nil {
			t.Fatal(err)
		}
		_, err := Find(dir)
		if want := strings.Replace(tt.want, "PATH", path, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestPathHome(t *testing.T) {
	src := []Source{{Name: "Envfile", Bytes: []byte("box \"a\" {\n  image   = \"x\"\n  message = path.home\n}\n")}}
	e, diags := Parse(src, t.TempDir(), Options{Home: "/home/anna"})
	if diags.HasErrors() || e.Boxes[0].Message != "/home/anna" {
		t.Errorf("%v", diags)
	}
	if _, diags := Parse(src, t.TempDir(), Options{}); !diags.HasErrors() {
		t.Error("without a home it is something")
	}
}
