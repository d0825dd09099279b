package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/berth-dev/berth/internal/state"
)

// lockedBoxes returns what the steps of the targets consist of, leaving out what
// only this user has.
//
// That is not the key of a checkpoint, which also has in it what differs between
// hosts and users and is no fault: the build of berth, the environment and the
// provider's arguments that a user's own files set, the permissions that a umask
// leaves. What is locked are the parts of it that are the project's.
func (e *Engine) lockedBoxes(targets []*target) ([]state.LockedBox, error) {
	var boxes []state.LockedBox
	for _, t := range shared(targets) {
		b := state.LockedBox{Box: t.box.Name, Steps: []state.LockedStep{}}
		for _, s := range t.steps {
			if s.block.Personal {
				continue
			}
			locked, err := e.lockedStep(s)
			if err != nil {
				return nil, fmt.Errorf("lock step %s of box %q: %w", s.title(), t.box.Name, err)
			}
			b.Steps = append(b.Steps, locked)
		}
		boxes = append(boxes, b)
	}
	return boxes, nil
}

// lockedStep returns what a step consists of, or why that cannot be told.
func (e *Engine) lockedStep(s *step) (state.LockedStep, error) {
	locked := state.LockedStep{Step: s.block.ID(), Type: s.block.Type, Run: s.block.Run, Open: s.block.Foreign}
	if locked.Open == "" && s.args == nil {
		locked.Open = "its arguments are not known until other boxes are up"
	}
	if locked.Open != "" {
		return locked, nil
	}
	locked.Parts = lockedArguments(s.args)
	for _, input := range s.inputs {
		path, err := e.projectFile(input)
		if err != nil {
			locked.Open, locked.Parts = err.Error(), nil
			return locked, nil
		}
		h := sha256.New()
		if err := hashTree(h, path, tracked); err != nil {
			return locked, fmt.Errorf("read %s: %w", input, err)
		}
		locked.Parts["file "+input] = hex.EncodeToString(h.Sum(nil))
	}
	return locked, nil
}

// lockedArguments returns the hash of each argument that is written: one that a
// newer plugin knows besides changes nothing.
func lockedArguments(args []byte) map[string]string {
	var values map[string]json.RawMessage
	if json.Unmarshal(args, &values) != nil {
		values = map[string]json.RawMessage{"all": args} // a plugin host with another form
	}
	parts := map[string]string{}
	for name, value := range values {
		if !bytes.Equal(value, []byte("null")) {
			sum := sha256.Sum256(value)
			parts["argument "+name] = hex.EncodeToString(sum[:])
		}
	}
	return parts
}

// projectFile returns where a file that a step reads is. The error says why it is
// not one that everybody has who has the project.
func (e *Engine) projectFile(input string) (string, error) {
	if filepath.IsAbs(input) {
		return "", errors.New("it reads a file by an absolute path")
	}
	outside := fmt.Errorf("it reads %s, which is outside the project's folder", input)
	if !filepath.IsLocal(input) {
		return "", outside
	}
	path := filepath.Join(e.Envfile.Root, input)
	real, err := filepath.EvalSymlinks(path)
	if os.IsNotExist(err) {
		return path, nil // the hash says that it is missing
	}
	root, rootErr := filepath.EvalSymlinks(e.Envfile.Root)
	if err != nil || rootErr != nil {
		return "", fmt.Errorf("it reads %s, which cannot be found", input)
	}
	switch rel, err := filepath.Rel(root, real); {
	case err != nil || !filepath.IsLocal(rel):
		return "", outside
	case rel == ".":
		return "", fmt.Errorf("it reads the project's whole folder, %s among it", state.LockFileName)
	}
	return path, nil
}

// tracked is what git knows of a file's mode: the rest is the umask's. Of folders it
// knows nothing, so an empty one is not there in another's clone.
func tracked(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return ""
	case mode.IsRegular() && mode.Perm()&0o100 != 0:
		return "executable"
	}
	return mode.Type().String()
}
