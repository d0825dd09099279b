package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/berth-dev/berth/config"
)

// sudoUser is who ran sudo (sudo(8)); 0 when nobody did.
func sudoUser() uint32 {
	uid, err := strconv.ParseUint(os.Getenv("SUDO_UID"), 10, 32)
	if err != nil || os.Geteuid() != 0 {
		return 0
	}
	return uint32(uid)
}

func homeOf(uid uint32) string {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil || u.HomeDir == "/" {
		return ""
	}
	return realPath(u.HomeDir)
}

// sayFolders says what is worth knowing of the folders that a box is about to
// get.
func (e *Engine) sayFolders(t *target) {
	root := realPath(e.Envfile.Root)
	for _, f := range t.box.Folders {
		path := e.folderPath(f.Source)
		if !within(realPath(path), root) {
			t.voice.Say("is given %s of this host at %s", path, f.Target)
		}
		st, err := os.Stat(path)
		if err == nil && f.Type == config.FolderBind && !f.ReadOnly && ownerOf(st) == 0 && st.Mode().Perm()&0o002 == 0 && e.first(path) {
			t.voice.Warn("%s belongs to root, so the box can only read what all users may: "+
				"give it to a user (chown -R USER %s) to write to it at %s, or set type = \"rsync\" for a copy", path, path, f.Target)
		}
	}
}

// first reports whether this is the first time that path is asked about: what
// holds for a folder need not be said for every box.
func (e *Engine) first(path string) bool {
	_, again := e.said.LoadOrStore(path, true)
	return !again
}

// noLocal, in the project's .berth, which no box can write, says that there was
// no Envfile.local when a box was given the project's folder.
const noLocal = ".berth/no-envfile-local"

// watchLocal notes before a box gets the project's folder that there is no
// Envfile.local to protect.
func (e *Engine) watchLocal(b *config.Box) error {
	for _, f := range b.Folders {
		if f.Type != config.FolderBind || f.ReadOnly || realPath(e.folderPath(f.Source)) != realPath(e.Envfile.Root) {
			continue
		}
		root, err := os.OpenRoot(e.Envfile.Root)
		if err != nil {
			return fmt.Errorf("open the project's folder: %w", err)
		}
		defer root.Close()
		if _, err := root.Lstat(config.LocalFileName); !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		w, err := root.OpenFile(noLocal, os.O_WRONLY|os.O_CREATE, 0o644)
		if err != nil {
			return fmt.Errorf("note that there is no %s: %w", config.LocalFileName, err)
		}
		return w.Close()
	}
	return nil
}

// CheckLocal refuses an Envfile.local that a box may have written: one that came
// into being while a box had the project's folder.
func CheckLocal(root string) error {
	local := filepath.Join(root, config.LocalFileName)
	if _, err := os.Lstat(local); err != nil {
		return nil // there is none, or reading it says why not
	}
	note := filepath.Join(root, noLocal)
	if _, err := os.Lstat(note); err != nil {
		return nil
	}
	return fmt.Errorf("%s has come into being since a box was given this folder, and the box may have written it. "+
		"Look at it, then remove it, or, if it is yours, say so: rm %s", local, note)
}
