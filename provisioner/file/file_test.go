package file

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/provisioner"
	"github.com/berth-dev/berth/provisioner/provisionertest"
)

func TestValidate(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("conf", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", "sock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct {
		f    file
		want string
	}{
		{file{Source: "conf", Destination: "/etc/x", Mode: "0644"}, ""},
		{file{Source: ".", Destination: "x"}, ""},
		{file{Destination: "x"}, "source: source must not be empty"},
		{file{Source: "no", Destination: "x"}, "source: no does not exist; a relative path is relative to the project's folder"},
		{file{Source: "sock", Destination: "x"}, "source: sock is neither a file nor a folder"},
		{file{Source: "/dev/null", Destination: "x"}, "source: /dev/null is neither a file nor a folder"},
		{file{Source: "conf"}, "destination: destination must not be empty; ~ is the home of the login user"},
		{file{Source: "conf", Destination: "x", Mode: "0888"}, `mode: "0888" is no octal file mode from "0001" to "0777", such as "0644"`},
		{file{Source: "conf", Destination: "x", Mode: "4755"}, `mode: "4755" is no octal file mode from "0001" to "0777", such as "0644"`},
		{file{Source: "conf", Destination: "x", Mode: "0"}, `mode: "0" is no octal file mode from "0001" to "0777", such as "0644"`},
	} {
		got := ""
		if err := c.f.Validate(); err != nil {
			var arg *provisioner.ArgError
			if !errors.As(err, &arg) {
				t.Errorf("%+v: %v is no ArgError", c.f, err)
			}
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: got %q, want %q", c.f, got, c.want)
		}
	}
}

func TestProvision(t *testing.T) {
	src := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(src, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		f    file
		want provisioner.FileOptions
	}{
		{file{Destination: "conf"}, provisioner.FileOptions{}},
		{file{Destination: "~/conf", Mode: "0640"}, provisioner.FileOptions{Mode: 0o640}},
		{file{Destination: "/home/dev/conf"}, provisioner.FileOptions{}},
		{file{Destination: "/tmp/conf"}, provisioner.FileOptions{}},
		{file{Destination: "/tmp/../etc/conf"}, provisioner.FileOptions{Root: true}},
		{file{Destination: "/home/developer/conf"}, provisioner.FileOptions{Root: true}},
		{file{Destination: "/etc/conf"}, provisioner.FileOptions{Root: true}},
		{file{Destination: "conf", Group: "www-data"}, provisioner.FileOptions{Root: true, Group: "www-data"}},
		{file{Destination: "conf", Owner: "33"}, provisioner.FileOptions{Root: true, Owner: "33"}},
	} {
		g := &provisionertest.Guest{Box: provisioner.Info{User: "dev"}}
		c.f.Source = src
		if err := c.f.Provision(t.Context(), g); err != nil {
			t.Errorf("%+v: %v", c.f, err)
			continue
		}
		want := []provisionertest.Upload{{Src: src, Dst: c.f.Destination, Options: c.want, Content: []byte("x")}}
		if diff := cmp.Diff(want, g.Uploads()); diff != "" {
			t.Errorf("%+v: (-want +got)\n%s", c.f, diff)
		}
	}
}
