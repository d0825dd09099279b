package lxc

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/berth-dev/berth/provider"
)

// The owner of a test's folder: nobody on this host.
const testUID, testGID = 54321, 54322

// ownedFolder makes a folder that belongs to a user, with these files in it.
func ownedFolder(t *testing.T, files ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	for _, f := range append([]string{"."}, files...) {
		path := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write := func() error { return os.WriteFile(path, []byte("old\n"), 0o644) }
		if strings.HasSuffix(f, "/") || f == "." {
			write = func() error { return os.MkdirAll(path, 0o755) }
		}
		if err := write(); err != nil {
			t.Fatal(err)
		}
		for at := path; at != filepath.Dir(dir); at = filepath.Dir(at) {
			if err := os.Lchown(at, testUID, testGID); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// startWith creates and starts the box with folders.
func startWith(t *testing.T, p *lxcProvider, spec *provider.Spec, folders ...provider.Folder) {
	t.Helper()
	spec.Folders = folders
	if err := p.Create(t.Context(), *spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), *spec, nil); err != nil {
		t.Fatal(err)
	}
}

// allowed and denied run commands in the box as its root.
func allowed(t *testing.T, p *lxcProvider, id string, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if out, err := inBox(t, p, id, c); err != nil {
			t.Errorf("the box cannot %s: %v\n%s", c, err, out)
		}
	}
}

func denied(t *testing.T, p *lxcProvider, id, why string, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if out, err := inBox(t, p, id, c); err == nil || !strings.Contains(out, why) {
			t.Errorf("the box, doing %s: %v, %q; want %q", c, err, out, why)
		}
	}
}

// asDev is a command as the login user.
func asDev(command string) string { return "su dev -c '" + command + "'" }

func fileStat(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Sys().(*syscall.Stat_t)
}

// wantOwner checks whose a file is on the host.
func wantOwner(t *testing.T, path string, uid, gid uint32) {
	t.Helper()
	if st := fileStat(t, path); st.Uid != uid || st.Gid != gid {
		t.Errorf("%s belongs to %d:%d on the host, want %d:%d", path, st.Uid, st.Gid, uid, gid)
	}
}

// Whose the files are, on both sides, and that no box can make a file of root's.
func TestRealFolderOwners(t *testing.T) {
	p, spec := realProvider(t)
	dir := ownedFolder(t, "old")
	roots := filepath.Join(dir, "roots")
	if err := os.WriteFile(roots, []byte("#!/bin/sh\n"), 0o4755); err != nil {
		t.Fatal(err)
	}
	startWith(t, p, &spec, provider.Folder{Source: dir, Target: "/srv/a dir/work"})
	allowed(t, p, spec.ID,
		`test "$(stat -c %U:%G "/srv/a dir/work/old")" = dev:dev`,
		`test "$(stat -c %U:%G "/srv/a dir/work/roots")" = nobody:nogroup`,
		asDev(`cd "/srv/a dir/work" && echo new >new && echo more >>old && mkdir sub && ln new sub/hard && ln -s new soft`),
		`cd "/srv/a dir/work" && cp /bin/sh suid && chown root:root suid && chmod 6755 suid && echo x >root.txt`,
		`cd "/srv/a dir/work" && echo x >other && chown 33:33 other && chown dev:dev root.txt && chown root:root root.txt`,
		`cd "/srv/a dir/work" && cp suid caps && python3 -c 'import os,struct; os.setxattr("caps", "security.capability", struct.pack("<IIIII", 0x02000001, 0xffffffff, 0, 0, 0))'`,
	)
	denied(t, p, spec.ID, "Operation not permitted",
		`cd "/srv/a dir/work" && chown dev roots`, `cd "/srv/a dir/work" && chmod 777 roots`,
		`cd "/srv/a dir/work" && ln roots mine`, `cd "/srv/a dir/work" && mknod disk b 254 0`)
	denied(t, p, spec.ID, "Permission denied", `cd "/srv/a dir/work" && echo x >>roots`)
	allowed(t, p, spec.ID, asDev(`test $("/srv/a dir/work/suid" -p -c "id -u") = 1000`)) // no set-user-id here
	for _, name := range []string{"new", "old", "sub", "sub/hard", "soft"} {
		wantOwner(t, filepath.Join(dir, name), testUID, testGID)
	}
	wantOwner(t, filepath.Join(dir, "suid"), sharedIDBase, sharedIDBase)
	wantOwner(t, filepath.Join(dir, "root.txt"), sharedIDBase, sharedIDBase)
	wantOwner(t, filepath.Join(dir, "other"), sharedIDBase+33, sharedIDBase+33)
	out, err := exec.Command("find", dir, "-not", "-name", "roots", "(", "-uid", "-1000", "-o", "-gid", "-1000", ")").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("these belong to users of the host: %s (%v)", out, err)
	}

	// Another box, with other ids of its own, sees the same.
	if err := p.Destroy(t.Context(), spec.ID, nil); err != nil {
		t.Fatal(err)
	}
	startWith(t, p, &spec, provider.Folder{Source: dir, Target: "/work"})
	allowed(t, p, spec.ID, `test "$(cd /work && stat -c %U new root.txt other suid | tr "\n" " ")" = "dev root www-data root "`,
		"echo more >>/work/root.txt")
}

// A folder of root's: the box may do there what any user of the host may.
func TestRealFolderOfRoot(t *testing.T) {
	p, spec := realProvider(t)
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := errors.Join(os.WriteFile(dir+"/f", []byte("text"), 0o644), os.WriteFile(dir+"/secret", []byte("text"), 0o600),
		os.Mkdir(open, 0o777), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	startWith(t, p, &spec, provider.Folder{Source: dir, Target: "/work"})
	allowed(t, p, spec.ID, asDev("cat /work/f"), "echo x >/work/open/root", asDev("echo x >/work/open/dev"))
	denied(t, p, spec.ID, "Permission denied", "cat /work/secret", "echo x >/work/new", asDev("echo x >/work/f"))
	wantOwner(t, open+"/root", sharedIDBase, sharedIDBase)
	wantOwner(t, open+"/dev", sharedIDBase+loginID, sharedIDBase+loginID)
}

// Nobody in the box changes what is readonly or protected, nor takes the mount
// away that does it.
func TestRealFolderProtected(t *testing.T) {
	p, spec := realProvider(t)
	dir, fixed := ownedFolder(t, "Envfile", ".berth/id", "src/f"), ownedFolder(t, "f")
	startWith(t, p, &spec,
		provider.Folder{Source: dir, Target: "/work", Protect: []string{"Envfile", ".berth", "missing", "missing/deep"}},
		provider.Folder{Source: fixed, Target: "/fixed", ReadOnly: true})
	denied(t, p, spec.ID, "Read-only file system", "echo x >>/work/Envfile", "echo x >/work/.berth/id", "touch /work/.berth/new",
		"rm /work/.berth/id", "chmod 777 /work/Envfile", "echo x >>/fixed/f", "touch /fixed/new", asDev("rm /fixed/f"))
	denied(t, p, spec.ID, "busy", "mv /work/Envfile /work/away", "rm /work/Envfile", "mv /work/.berth /work/away",
		"echo x >/work/new && mv /work/new /work/Envfile", "umount /work/Envfile || umount -l /work/Envfile || echo busy && false")
	denied(t, p, spec.ID, "Invalid cross-device link", "ln /work/Envfile /work/hard")
	for _, c := range []string{"umount /work/Envfile", "umount -l /work/Envfile", "umount /work/.berth", "umount -l /work", "umount /fixed",
		"mount -o remount,rw,bind /work/Envfile", "mount -o remount,rw,bind /fixed", "mount -o remount,bind,suid,dev /work",
		"unshare -m sh -c 'umount -l /work/Envfile'", "unshare -Urm sh -c 'umount -l /work/Envfile'",
		"mount --bind /work /mnt && echo x >>/mnt/Envfile"} {
		if out, err := inBox(t, p, spec.ID, c); err == nil {
			t.Errorf("the box's root can %s: %s", c, out)
		}
	}
	allowed(t, p, spec.ID, "echo x >>/work/src/f", "cat /work/Envfile /work/.berth/id /fixed/f")
	if b, err := os.ReadFile(filepath.Join(dir, "Envfile")); err != nil || string(b) != "old\n" {
		t.Errorf("Envfile is %q on the host, %v", b, err)
	}
}
