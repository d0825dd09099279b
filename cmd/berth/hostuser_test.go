package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider/lxc"
)

// hostUser is a user of this machine that a test has made, who has never been
// root: what is called sudo on its $PATH notes that it was called, and fails.
type hostUser struct {
	name     string
	uid, gid int
	home     string
	bin      string // holds berth and sudo
}

// sudoShim writes its arguments where the test looks.
const sudoShim = "#!/bin/sh\necho \"$@\" >>\"$HOME/sudo-was-called\"\nexit 99\n"

// newHostUser makes a user, who goes with the test, with boxes and all.
func newHostUser(t *testing.T, letter string) hostUser {
	t.Helper()
	// Another run of the tests may be under way.
	name := fmt.Sprintf("berth-test-%d%s", os.Getpid(), letter)
	testenv.NeedLXC(t)
	testenv.NeedTool(t, "useradd")
	testenv.NeedTool(t, "newuidmap")
	if _, err := user.Lookup(name); err == nil {
		t.Fatalf("the user %s is there already: remove it (userdel -r %[1]s)", name)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("userdel", "--remove", name).CombinedOutput(); err != nil && !strings.Contains(string(out), "mail spool") {
			t.Errorf("userdel: %v\n%s", err, out)
		}
	})
	if out, err := exec.Command("useradd", "--create-home", "--shell", "/bin/bash", name).CombinedOutput(); err != nil {
		t.Fatalf("useradd: %v\n%s", err, out)
	}
	entry, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	u := hostUser{name: name, home: entry.HomeDir}
	u.uid, _ = strconv.Atoi(entry.Uid)
	u.gid, _ = strconv.Atoi(entry.Gid)
	// Not below a test's own folder, which is root's.
	if u.bin, err = os.MkdirTemp("", "berth-bin-*"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(u.bin) })
	self, err := exec.LookPath("berth")
	if err != nil {
		t.Fatal(err)
	}
	berth, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"berth": berth, "sudo": []byte(sudoShim)} {
		if err := os.WriteFile(filepath.Join(u.bin, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(u.bin, 0o755); err != nil {
		t.Fatal(err)
	}
	return u
}

// command is a command that the user types in a folder.
func (u hostUser) command(ctx context.Context, dir string, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(u.bin, argv[0]), argv[1:]...)
	if argv[0] != "berth" {
		cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	}
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + u.home, "USER=" + u.name, "PATH=" + u.bin + ":/usr/local/bin:/usr/bin:/bin", "NO_COLOR=1", "LC_ALL=C.UTF-8"}
	for _, v := range os.Environ() { // the way to the network, where it is a proxy's
		if name, _, _ := strings.Cut(v, "="); strings.HasSuffix(strings.ToLower(name), "_proxy") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.gid)}}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// try runs a command of the user's and returns all that it prints.
func (u hostUser) try(t *testing.T, dir string, argv ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	out, err := u.command(ctx, dir, argv...).CombinedOutput()
	return string(out), err
}

// run is try for what must go well. It returns standard output.
func (u hostUser) run(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := u.command(ctx, dir, argv...)
	var out, progress bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &progress
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %s: %v\n%s%s", u.name, strings.Join(argv, " "), err, &out, &progress)
	}
	return out.String()
}

// project makes a folder of the user's with an Envfile.
func (u hostUser) project(t *testing.T, name, envfile string) string {
	t.Helper()
	dir := filepath.Join(u.home, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "Envfile")
	if err := os.WriteFile(path, []byte(envfile), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{dir, path} {
		if err := os.Chown(p, u.uid, u.gid); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// data is the folder of the LXC provider in the user's data home.
func (u hostUser) data() string { return filepath.Join(u.home, ".local/share/berth/provider/lxc") }

// destroyAll removes the boxes of the user's projects, also after a failure.
func (u hostUser) destroyAll(t *testing.T) {
	projects, _ := filepath.Glob(filepath.Join(u.home, "*", "Envfile"))
	for _, p := range projects {
		if out, err := u.try(t, filepath.Dir(p), "berth", "destroy", "-f"); err != nil {
			t.Errorf("destroy: %v\n%s", err, out)
		}
	}
}

// giveImage puts the image that tests keep into the user's data home, as if the
// user had built it: with the user's own ids.
func (u hostUser) giveImage(t *testing.T) {
	t.Helper()
	testenv.NeedNet(t)
	cache, err := imageCache()
	if err != nil {
		t.Fatal(err)
	}
	uids, err := lxc.UserRange("/etc/subuid", u.name, u.uid)
	if err != nil {
		t.Fatal(err)
	}
	gids, err := lxc.UserRange("/etc/subgid", u.name, u.uid)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("install", "-d", "-o", u.name, "-g", strconv.Itoa(u.gid), "-m", "700", u.data()).CombinedOutput(); err != nil {
		t.Fatalf("install: %v\n%s", err, out)
	}
	for _, dir := range ancestorsIn(u.home, u.data()) {
		if err := os.Chown(dir, u.uid, u.gid); err != nil {
			t.Fatal(err)
		}
	}
	record, err := lxc.ImageFile("debian:bookworm")
	if err != nil {
		t.Fatal(err)
	}
	var image struct {
		Layer string `json:"layer"`
	}
	b, err := os.ReadFile(filepath.Join(cache, "images", record))
	if err == nil {
		err = json.Unmarshal(b, &image)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"images/" + record, "layers/" + image.Layer} {
		to := filepath.Join(u.data(), what)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("cp", "-a", filepath.Join(cache, what), to).CombinedOutput(); err != nil {
			t.Fatalf("cp: %v\n%s", err, out)
		}
	}
	for _, dir := range []string{"images", "layers"} {
		if err := u.ownAs(filepath.Join(u.data(), dir), uids, gids); err != nil {
			t.Fatal(err)
		}
	}
}

// ownAs gives a tree with a box's ids to the user's.
func (u hostUser) ownAs(dir string, uids, gids uint32) error {
	id := func(in, kept, first uint32) uint32 {
		switch {
		case in < 1000:
			return first + in
		case in == 1000:
			return kept
		}
		return first + in - 1
	}
	user := func(in uint32) uint32 { return id(in, uint32(u.uid), uids) }
	group := func(in uint32) uint32 { return id(in, uint32(u.gid), gids) }
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		change := map[string]func([]byte) []byte{
			"security.capability":     func(v []byte) []byte { return namespaced(v, uids) },
			"system.posix_acl_access": func(v []byte) []byte { return listed(v, user, group) },
		}
		change["system.posix_acl_default"] = change["system.posix_acl_access"]
		attrs := map[string][]byte{}
		for name, to := range change { // few files have any
			value := make([]byte, 4096)
			if n, err := unix.Lgetxattr(path, name, value); err == nil {
				attrs[name] = to(value[:n])
			}
		}
		if err := os.Lchown(path, int(user(st.Uid)), int(group(st.Gid))); err != nil {
			return err
		}
		if st.Mode&syscall.S_IFMT == syscall.S_IFLNK {
			return nil
		}
		// chown takes set-user-id and capabilities away.
		err = syscall.Chmod(path, st.Mode&0o7777)
		for name, value := range attrs {
			err = errors.Join(err, unix.Setxattr(path, name, value, 0))
		}
		return err
	})
}

// listed changes the users and groups in an access control list
// (posix_acl_xattr.h).
func listed(acl []byte, user, group func(uint32) uint32) []byte {
	acl = bytes.Clone(acl)
	for e := acl[4:]; len(e) > 0; e = e[8:] {
		id := binary.LittleEndian.Uint32(e[4:])
		switch binary.LittleEndian.Uint16(e) {
		case 2:
			id = user(id)
		case 8:
			id = group(id)
		}
		binary.LittleEndian.PutUint32(e[4:], id)
	}
	return acl
}

// namespaced makes of a file's capabilities (vfs_cap_data of revision 2) those that
// count in the user namespace with that root (revision 3; capabilities(7)).
func namespaced(caps []byte, root uint32) []byte {
	caps = bytes.Clone(caps)
	caps[3] = 3
	return binary.LittleEndian.AppendUint32(caps, root)
}

// ancestorsIn returns the folders below top on the way to dir, and dir.
func ancestorsIn(top, dir string) []string {
	var all []string
	for ; dir != top && len(dir) > len(top); dir = filepath.Dir(dir) {
		all = append(all, dir)
	}
	return all
}

// leftovers lists what the user still has running or mounted on the host.
func (u hostUser) leftovers(t *testing.T) []string {
	t.Helper()
	var found []string
	first, err := lxc.UserRange("/etc/subuid", u.name, u.uid)
	if err != nil {
		t.Fatal(err)
	}
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		var st syscall.Stat_t
		if syscall.Stat(p, &st) != nil || int(st.Uid) != u.uid && (st.Uid < first || st.Uid >= first+65536) {
			continue
		}
		cmdline, _ := os.ReadFile(p + "/cmdline")
		if len(cmdline) > 0 { // a dead one is its parent's to bury
			found = append(found, fmt.Sprintf("process %s %q", filepath.Base(p), cmdline))
		}
	}
	links, _ := filepath.Glob(fmt.Sprintf("/sys/class/net/veth%d_*", u.uid))
	found = append(found, links...)
	for _, pattern := range []string{"/sys/fs/cgroup/*/berth.user.%d/*/", "/sys/fs/cgroup/user.slice/user-%d.slice/user@*/*/berth-*"} {
		dirs, _ := filepath.Glob(fmt.Sprintf(pattern, u.uid))
		found = append(found, dirs...)
	}
	boxes, _ := filepath.Glob(filepath.Join(u.data(), "boxes", "*"))
	return append(found, boxes...)
}

// settled waits for what ends a moment after the command that ends it.
func (u hostUser) settled(t *testing.T) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if left = u.leftovers(t); len(left) == 0 {
			return
		}
	}
	t.Errorf("%s still has on the host:\n%s", u.name, strings.Join(left, "\n"))
}

// noSudo fails when the user's sudo was called.
func (u hostUser) noSudo(t *testing.T) {
	t.Helper()
	if b, err := os.ReadFile(filepath.Join(u.home, "sudo-was-called")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("sudo was called: %s (%v)", b, err)
	}
}
