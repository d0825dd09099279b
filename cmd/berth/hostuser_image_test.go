package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/internal/testenv"
	"github.com/berth-dev/berth/provider/lxc"
)

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
