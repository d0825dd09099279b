package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/internal/sshdtest"
	"github.com/berth-dev/berth/provisioner"
)

// plant makes files below dir: "x/" is a folder, "x -> y" a link, and anything
// else a file with its name as content.
func plant(t testing.TB, dir string, entries ...string) {
	t.Helper()
	for _, e := range entries {
		name, target, isLink := strings.Cut(e, " -> ")
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case isLink:
			err = os.Symlink(target, p)
		case strings.HasSuffix(e, "/"):
			err = os.Mkdir(p, 0o755)
		default:
			err = os.WriteFile(p, []byte(name), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// tree lists what is below dir: mode, name, and content or target.
func tree(t testing.TB, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		switch {
		case d.Type() == fs.ModeSymlink:
			text, err = os.Readlink(p)
			text = " -> " + text
		case d.Type().IsRegular():
			var b []byte
			b, err = os.ReadFile(p)
			text = " " + string(b)
		}
		rel, _ := filepath.Rel(dir, p)
		list = append(list, fmt.Sprintf("%v %s%s", info.Mode(), rel, text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestCopyFile(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	src := t.TempDir()
	plant(t, src, "f", "l -> f")
	os.Chmod(src+"/f", 0o751)
	plant(t, s.home, "dir/", "old", "link -> old", "busy")
	for _, c := range []struct{ from, to, want string }{
		{"f", "new", "new"},
		{"f", "~/deep/er/x", "deep/er/x"},
		{"f", s.home + "/abs/", "abs/f"},
		{"f", "dir", "dir/f"},
		{"f", "old", "old"},
		{"l", "from-link", "from-link"},
		{"f", "link", "link"},
	} {
		if err := g.Upload(t.Context(), filepath.Join(src, c.from), c.to, provisioner.FileOptions{}); err != nil {
			t.Error(err)
			continue
		}
		b, _ := os.ReadFile(filepath.Join(s.home, c.want))
		st, err := os.Lstat(filepath.Join(s.home, c.want))
		if err != nil || string(b) != "f" || st.Mode() != 0o751 {
			t.Errorf("%s to %s: %q, %v, %v", c.from, c.to, b, st, err)
		}
	}
	if err := g.Upload(t.Context(), src+"/f", "mode", provisioner.FileOptions{Mode: 0o604}); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat(s.home + "/mode"); err != nil || st.Mode() != 0o604 {
		t.Errorf("mode: %v, %v", st, err)
	}
	if left, _ := filepath.Glob(s.home + "/.berth*"); left != nil {
		t.Errorf("left over: %q", left)
	}
}

func TestCopyFolder(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	src, back := t.TempDir(), t.TempDir()
	plant(t, src, "a", "sub/b", "sub/deep/c", "empty/", "out -> /etc/passwd", "in -> sub/b", "dangling -> nowhere")
	os.Chmod(src+"/a", 0o755)
	os.Chmod(src+"/sub/b", 0o400)
	os.Chmod(src+"/sub/deep", 0o555)
	t.Cleanup(func() {
		for _, d := range []string{src, s.home + "/to", back} {
			os.Chmod(d+"/sub/deep", 0o755)
		}
	})
	plant(t, s.home, "to/sub/other", "to/out -> elsewhere")
	if err := g.Upload(t.Context(), src, "to", provisioner.FileOptions{}); err != nil {
		t.Fatal(err)
	}
	os.Remove(s.home + "/to/sub/other")
	// The server here, unlike OpenSSH's, makes targets absolute.
	plain := func(dir string) []string {
		list := tree(t, dir)
		for i := range list {
			list[i] = strings.ReplaceAll(list[i], s.home+"/", "")
		}
		return list
	}
	if diff := cmp.Diff(tree(t, src), plain(s.home+"/to")); diff != "" {
		t.Errorf("up: (-want +got)\n%s", diff)
	}
	if err := g.Download(t.Context(), "to", back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree(t, src), plain(back)); diff != "" {
		t.Errorf("down: (-want +got)\n%s", diff)
	}
}

func TestDownloadFile(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	plant(t, s.home, "f")
	dst := t.TempDir()
	for from, want := range map[string]string{"/": "f", "/new": "new", "/deep/x": "deep/x", "/y/": "y/f"} {
		if err := g.Download(t.Context(), "~/f", dst+from); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(filepath.Join(dst, want)); string(b) != "f" {
			t.Errorf("%s: %q, %v", want, b, err)
		}
	}
	err := g.Download(t.Context(), "missing", dst)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "missing in the box: file does not exist") {
		t.Errorf("missing: %v", err)
	}
}

// Links on the host that lead out of the folder must not be followed.
func TestDownloadStaysInside(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	dst, outside := t.TempDir(), t.TempDir()
	plant(t, s.home, "from/trap/f", "from/file")
	plant(t, dst, "trap -> "+outside, "file -> "+outside+"/target")
	plant(t, outside, "target")
	err := g.Download(t.Context(), "from", dst)
	if err == nil || !strings.Contains(err.Error(), "path escapes from parent") {
		t.Errorf("got %v", err)
	}
	if got := tree(t, outside); len(got) != 1 || !strings.HasSuffix(got[0], "target target") {
		t.Errorf("outside: %q", got)
	}
	os.Remove(dst + "/trap")
	if err := g.Download(t.Context(), "from", dst); err != nil {
		t.Error(err)
	}
	if st, err := os.Lstat(dst + "/file"); err != nil || !st.Mode().IsRegular() {
		t.Errorf("a link is replaced: %v, %v", st, err)
	}
}

func TestCopyErrors(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	src := t.TempDir()
	plant(t, src, "f", "tree/a")
	plant(t, s.home, "file", "dir/f/x")
	l, err := net.Listen("unix", src+"/tree/sock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct{ from, to, want string }{
		{"missing", "x", "no such file or directory"},
		{"tree", "x", "sock is a socket, and only files, folders and links can be copied"},
		{"tree/sock", "x", "sock is a socket, and only files, folders and links can be copied"},
		{"f", "dir", "dir/f in the box: there is a folder of that name"},
		{"f", "file/x", "file in the box: it is not a folder"},
		{"f", "~root/x", "only ~ and ~/… mean a home"},
	} {
		err := g.Upload(t.Context(), filepath.Join(src, c.from), c.to, provisioner.FileOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "upload "+src) {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
	if left, _ := filepath.Glob(s.home + "/*/.berth*"); left != nil {
		t.Errorf("left over: %q", left)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Upload(ctx, src+"/f", "x", provisioner.FileOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	s.drop()
	if err := g.Upload(t.Context(), src+"/f", "x", provisioner.FileOptions{}); !errors.Is(err, provisioner.ErrConnection) {
		t.Errorf("connection lost: %v", err)
	}
}

func TestCopyAsRoot(t *testing.T) {
	t.Parallel()
	c := connect(t, startSSHD(t, sshdtest.Options{}))
	g := c.Guest(provisioner.Info{User: "dev"}, &screen{})
	src := t.TempDir()
	plant(t, src, "f", "sub/g")
	up := func(from, to string, o provisioner.FileOptions) error {
		return g.Upload(t.Context(), filepath.Join(src, from), to, o)
	}
	err := up("f", "/run/conf", provisioner.FileOptions{})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "/run/conf in the box: permission denied for user dev: write it as root") {
		t.Errorf("not as root: %v", err)
	}
	for _, c := range []struct {
		from, to, stat string
		o              provisioner.FileOptions
		want           string
	}{
		{"f", "/run/a/conf", "/run/a/conf", provisioner.FileOptions{Root: true}, "root:root 644"},
		{"f", "~/mine", "/home/dev/mine", provisioner.FileOptions{}, "dev:dev 644"},
		{"f", "rel", "/home/dev/rel", provisioner.FileOptions{Owner: "daemon", Mode: 0o600}, "daemon:daemon 600"},
		{"f", "/run/grp", "/run/grp", provisioner.FileOptions{Group: "adm"}, "root:adm 644"},
		{"f", "/run/num", "/run/num", provisioner.FileOptions{Owner: "4321", Group: "8765"}, "UNKNOWN:UNKNOWN 644"},
		{"sub", "/run/tree", "/run/tree/g", provisioner.FileOptions{Owner: "dev", Group: "adm"}, "dev:adm 644"},
		{"sub", "/run/tree2", "/run/tree2", provisioner.FileOptions{Owner: "dev"}, "dev:dev 755"},
	} {
		if err := up(c.from, c.to, c.o); err != nil {
			t.Error(err)
			continue
		}
		got := output(t, g, provisioner.Cmd{Argv: []string{"stat", "-c", "%U:%G %a", c.stat}})
		if strings.TrimSpace(got) != c.want {
			t.Errorf("%s: %s, want %s", c.to, got, c.want)
		}
	}
	plant(t, src, "links/in -> ../f", "links/out -> /etc/passwd")
	if err := up("links", "links", provisioner.FileOptions{}); err != nil {
		t.Error(err)
	}
	if got := output(t, g, provisioner.Cmd{Argv: []string{"readlink", "links/in", "links/out"}}); got != "../f\n/etc/passwd\n" {
		t.Errorf("links: %q", got)
	}
	for _, o := range []provisioner.FileOptions{{Owner: "nobody-here"}, {Group: "nobody-here"}} {
		if err := up("f", "/run/x", o); err == nil || !strings.Contains(err.Error(), "find owner: the box has no ") || !strings.HasSuffix(err.Error(), " nobody-here") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestLargeFile(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	src := filepath.Join(t.TempDir(), "f")
	want := bytes.Repeat([]byte("0123456789abcde\n"), 1<<18)
	if err := os.WriteFile(src, want, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.Upload(t.Context(), src, "f", provisioner.FileOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(s.home + "/f"); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := g.Download(t.Context(), "f", src+"2"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(src + "2"); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestCopyProgress: all content is counted once, against the right total.
func TestCopyProgress(t *testing.T) {
	t.Parallel()
	s, g, _ := local(t)
	c := g.(*box).client
	src := t.TempDir()
	plant(t, src, "tree/aa", "tree/sub/bbb", "tree/link -> aa")
	const size = int64(len("tree/aa") + len("tree/sub/bbb"))
	var mu sync.Mutex
	var most, total int64
	o := CopyOptions{Copied: func(d, t int64) {
		mu.Lock()
		defer mu.Unlock()
		most, total = max(most, d), t
	}}
	if err := c.CopyTo(t.Context(), src+"/tree", "there", o); err != nil || most != size || total != size {
		t.Errorf("to the box: %d of %d, want %d; %v", most, total, size, err)
	}
	most = 0
	if err := c.CopyFrom(t.Context(), "there", src+"/back", o); err != nil || most != size || total != 0 {
		t.Errorf("from the box: %d of %d, want %d of 0; %v", most, total, size, err)
	}
	if diff := cmp.Diff(tree(t, s.home+"/there"), tree(t, src+"/back")); diff != "" {
		t.Error(diff)
	}
}
