package state

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"
)

// Project is a checkout with an Envfile, as the data home knows it.
type Project struct {
	ID   string // random; in .berth/id of its folder
	Root string // its folder now
	// Moved says where the folder was when it was last seen, if elsewhere.
	Moved string
}

var projectID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// FindProject returns the project in root, or false when it never had a box. It
// changes nothing.
func (h *Home) FindProject(root string) (Project, bool, error) {
	p := Project{Root: root}
	id, err := readID(root)
	if err != nil || id == "" {
		return p, false, err
	}
	p.ID = id
	before, err := h.lastRoot(id)
	if err != nil {
		return p, false, fmt.Errorf("look up the project: %w", err)
	}
	if before == "" || before == root {
		return p, true, nil
	}
	// The id is known from elsewhere. If that place still has it, this is a
	// copy, and a copy has no boxes; else the folder was moved.
	if other, err := readID(before); err == nil && other == id && !sameFolder(before, root) {
		return Project{Root: root}, false, nil
	}
	p.Moved = before
	return p, true, nil
}

// lastRoot returns where a project was when it was last seen: as its entry says,
// else one of its boxes. Empty: another user or data home has made it, or its last
// box is gone.
func (h *Home) lastRoot(id string) (string, error) {
	b, err := os.ReadFile(h.projectFile(id))
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return strings.TrimSpace(string(b)), err
	}
	records, err := h.Records(id)
	if err != nil || len(records) == 0 {
		return "", err
	}
	return records[0].Root, nil
}

// EnsureProject returns the project in root, giving it an id if it has none of
// its own yet.
func (h *Home) EnsureProject(root string) (Project, error) {
	p, known, err := h.FindProject(root)
	if err != nil {
		return p, err
	}
	if !known {
		var id [16]byte
		rand.Read(id[:]) // never fails, crypto/rand
		p.ID = hex.EncodeToString(id[:])
		if err := writeID(root, p.ID); err != nil {
			return p, err
		}
	}
	file := h.projectFile(p.ID)
	if b, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(b)) == root {
		return p, nil
	}
	if err := h.make(filepath.Dir(file)); err != nil {
		return p, err
	}
	return p, renameio.WriteFile(file, []byte(root+"\n"), 0o600)
}

// ForgetProject drops the data home's entry of a project that has no box left.
// The id in the project's folder stays, for the next box.
func (h *Home) ForgetProject(id string) error {
	records, err := h.Records(id)
	if err != nil || len(records) > 0 {
		return err
	}
	for _, file := range []string{h.projectFile(id), h.untoldFile(id), h.projectFile(id) + ".lock"} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// SetUntold notes whether some boxes of a project may not know where the others
// are: as long as they are being told, and after that failed. The project's lock
// must be held.
func (h *Home) SetUntold(id string, untold bool) error {
	if !untold {
		err := os.Remove(h.untoldFile(id))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return os.WriteFile(h.untoldFile(id), nil, 0o600)
}

// Untold reports what SetUntold has noted last.
func (h *Home) Untold(id string) bool {
	_, err := os.Lstat(h.untoldFile(id))
	return err == nil
}

func (h *Home) untoldFile(id string) string { return h.projectFile(id) + ".untold" }

func (h *Home) projectFile(id string) string { return filepath.Join(h.dir, "projects", id) }

// readID returns the id in .berth/id, "" when there is none. The folder comes
// with a repository that anyone may have written, so links do not lead out of
// it and what is not an id is an error.
func readID(root string) (string, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return "", fmt.Errorf("open the project's folder: %w", err)
	}
	defer r.Close()
	b, err := r.ReadFile(".berth/id")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the project's id: %w", err)
	}
	id := strings.TrimSpace(string(b))
	if !projectID.MatchString(id) {
		return "", fmt.Errorf("%s holds no id of a project: remove it to give the project a new one",
			filepath.Join(root, ".berth/id"))
	}
	return id, nil
}

// writeID makes .berth with the id in it, ignored by git, owned by whoever owns
// the project's folder also when root runs this.
func writeID(root, id string) error {
	r, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("open the project's folder: %w", err)
	}
	defer r.Close()
	if err := r.Mkdir(".berth", 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the project's .berth folder: %w", err)
	}
	files := []struct{ name, text string }{{".berth/.gitignore", "*\n"}, {".berth/id", id + "\n"}}
	for _, f := range files {
		if err := r.Remove(f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write the project's id: %w", err)
		}
		if err := r.WriteFile(f.name, []byte(f.text), 0o644); err != nil {
			return fmt.Errorf("write the project's id: %w", err)
		}
	}
	st, err := r.Stat(".")
	if err != nil {
		return err
	}
	if owner, ok := st.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		for _, name := range []string{".berth", ".berth/.gitignore", ".berth/id"} {
			if err := r.Lchown(name, int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
		}
	}
	return nil
}

func sameFolder(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}
