package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// fingerprint returns what a step's type, arguments and input files come to, as
// a whole and each by its name. It changes when any of them does, and not with
// where the project is or when its files were touched.
func fingerprint(kind string, args []byte, root string, inputs []string) (hash string, parts map[string]string, err error) {
	parts = argumentHashes(args)
	h := sha256.New()
	fmt.Fprintf(h, "%s %d\n%s\n", kind, len(args), args)
	for _, input := range inputs {
		fmt.Fprintf(h, "input %q\n", input)
		part := sha256.New()
		if err := hashTree(io.MultiWriter(h, part), inputPath(root, input), fs.FileMode.String); err != nil {
			return "", nil, fmt.Errorf("read %s: %w", input, err)
		}
		parts["file "+input] = hex.EncodeToString(part.Sum(nil)[:8])
	}
	return hex.EncodeToString(h.Sum(nil)), parts, nil
}

// inputPath returns where a file is that a step reads.
func inputPath(root, input string) string {
	if filepath.IsAbs(input) {
		return input
	}
	return filepath.Join(root, input)
}

// look makes the hash of a step with arguments, if the files that it reads have
// been touched since that was made, and reports whether it is another.
func (e *Engine) look(s *step) (changed bool, err error) {
	stamp := stampOf(e.Envfile.Root, s.inputs)
	if s.stamp == stamp {
		return false, nil
	}
	before := s.hash
	s.hash, s.parts, err = fingerprint(s.block.Type, s.args, e.Envfile.Root, s.inputs)
	s.stamp = stamp
	return s.hash != before, err
}

// stampOf returns what tells whether files have been touched, in a fraction of the
// time that reading them takes: numbers, sizes and times of change, which nobody can
// set (inode(7)).
func stampOf(root string, inputs []string) string {
	h := sha256.New()
	for _, input := range inputs {
		_ = filepath.WalkDir(realPath(inputPath(root, input)), func(path string, _ fs.DirEntry, _ error) error {
			var st unix.Stat_t
			err := unix.Lstat(path, &st)
			fmt.Fprintf(h, "%q %d %d %d %v\n", path, st.Ino, st.Size, unix.TimespecToNsec(st.Ctim), err)
			return nil
		})
	}
	return "stat " + hex.EncodeToString(h.Sum(nil))
}

// argumentHashes returns a short hash of each argument: values can be secret.
func argumentHashes(args []byte) map[string]string {
	hashes := map[string]string{}
	var values map[string]json.RawMessage
	if json.Unmarshal(args, &values) != nil {
		return hashes // a plugin host with another form; the whole tells enough
	}
	for name, value := range values {
		sum := sha256.Sum256(value)
		hashes["argument "+name] = hex.EncodeToString(sum[:8])
	}
	return hashes
}

// hashTree hashes a file, or a folder with what is in it, in the order of names,
// with of each one's mode what shown makes of it; a folder of which that is nothing
// counts by what is in it alone.
func hashTree(h io.Writer, top string, shown func(fs.FileMode) string) error {
	// A link given by name stands for what it leads to; those within a folder
	// are what they are.
	if real, err := filepath.EvalSymlinks(top); err == nil {
		top = real
	}
	return filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(h, "missing\n")
			return nil
		}
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(top, path)
		info, err := e.Info()
		if err != nil {
			return err
		}
		mode := shown(info.Mode())
		if mode == "" && e.IsDir() {
			return nil
		}
		fmt.Fprintf(h, "%q %s", rel, mode)
		switch e.Type() {
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(h, " -> %q\n", target)
		case 0:
			fmt.Fprintf(h, " %d\n", info.Size())
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(h, f)
			return err
		default:
			fmt.Fprintln(h)
		}
		return nil
	})
}
