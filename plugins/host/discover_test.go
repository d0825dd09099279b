package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/internal/testenv"
)

func TestNotFound(t *testing.T) {
	m := newManager(t, Options{
		Builtin:      func(kind, name string) bool { return kind == "provider" && name == "lxc" },
		BuiltinNames: func(string) []string { return []string{"lxc"} },
	}, "berth-provider-local")
	first := m.o.Path
	m.o.Path = "plugins::" + first
	for name, near := range map[string]string{"lxd": "lxc", "locl": "local", "zebra": "", "../local": "", "x": "", "": ""} {
		_, err := m.Provider(t.Context(), name)
		var missing *NotFoundError
		if !errors.As(err, &missing) {
			t.Errorf("%q: error %v, want a NotFoundError", name, err)
			continue
		}
		want := &NotFoundError{
			Kind: "provider", Name: name, Near: near, Builtin: []string{"lxc"},
			Searched: []string{"plugins (ignored: not an absolute path)", first, filepath.Join(m.o.DataHome, "plugins"), systemDir},
		}
		if near == "local" || name == "../local" {
			want.Near = missing.Near // "../local" is near as well; both are fine
		}
		if diff := cmp.Diff(want, missing); diff != "" {
			t.Error(diff)
		}
	}
	_, err := m.Provider(t.Context(), "lxd")
	want := `no provider plugin "lxd"; did you mean "lxc"? (looked for berth-provider-lxd in plugins (ignored: not an absolute path), `
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %q, want %q…", err, want)
	}
	_, err = m.Provider(t.Context(), "zebra")
	if want := `no provider plugin "zebra"; built in: lxc (looked for berth-provider-zebra in `; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %q, want %q…", err, want)
	}
}

func TestWorkingFolderAndPathAreNotSearched(t *testing.T) {
	dir := pluginDir(t, "berth-provider-ok")
	t.Chdir(dir)
	t.Setenv("PATH", dir)
	m := New(Options{DataHome: t.TempDir(), Path: ".:./:" + filepath.Base(dir)})
	defer m.Close()
	var missing *NotFoundError
	if _, err := m.Provider(t.Context(), "ok"); !errors.As(err, &missing) {
		t.Errorf("error %v, want a NotFoundError", err)
	}
}

func TestNameIsNoPath(t *testing.T) {
	m := newManager(t, Options{})
	elsewhere := pluginDir(t, "berth-provider-ok")
	rel, err := filepath.Rel(m.o.Path, filepath.Join(elsewhere, "berth-provider-ok"))
	if err != nil {
		t.Fatal(err)
	}
	var missing *NotFoundError
	if _, err := m.Provider(t.Context(), "x/../"+rel); !errors.As(err, &missing) {
		t.Errorf("error %v, want a NotFoundError", err)
	}
}

func TestOrderOfFolders(t *testing.T) {
	m := newManager(t, Options{}, "berth-provider-ok")
	second := filepath.Join(m.o.DataHome, "plugins")
	if err := os.Mkdir(second, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"berth-provider-ok", "berth-provisioner-other", "berth-provider-No", "unrelated"} {
		if err := os.WriteFile(filepath.Join(second, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.o.BuiltinNames = func(kind string) []string { return []string{"inside", "ok"} }
	got, err := m.List()
	if err != nil {
		t.Fatal(err)
	}
	want := []Info{
		{Kind: "provider", Name: "inside"},
		{Kind: "provider", Name: "ok", Path: filepath.Join(m.o.Path, "berth-provider-ok")},
		{Kind: "provisioner", Name: "inside"},
		{Kind: "provisioner", Name: "ok"},
		{Kind: "provisioner", Name: "other", Path: filepath.Join(second, "berth-provisioner-other"), Problem: "is not executable (chmod +x)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPluginThatOthersMayWriteIsRefused(t *testing.T) {
	m := newManager(t, Options{}, "berth-provider-ok")
	if err := os.Chmod(m.o.Path, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := m.Provider(t.Context(), "ok")
	if err == nil || !strings.HasSuffix(err.Error(), "berth-provider-ok is refused: "+m.o.Path+" is writable by everybody (chmod o-w)") {
		t.Errorf("error %v", err)
	}
}

func TestPluginOfAnotherUserIsRefused(t *testing.T) {
	testenv.NeedRoot(t) // to give a file away
	m := newManager(t, Options{})
	path := filepath.Join(m.o.Path, "berth-provider-theirs")
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	_, err := m.Provider(t.Context(), "theirs")
	if err == nil || !strings.HasSuffix(err.Error(), "is owned by user 12345, not by root or user 0 (chown)") {
		t.Errorf("error %v", err)
	}
}
