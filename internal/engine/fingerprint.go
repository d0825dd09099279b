package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// fingerprint returns what a step's type, arguments and input files come to. It
// changes when any of them does, and not with where the project is or when its
// files were touched.
func fingerprint(kind string, args []byte, root string, inputs []string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d\n%s\n", kind, len(args), args)
	for _, input := range inputs {
		fmt.Fprintf(h, "input %q\n", input)
		path := input
		if !filepath.IsAbs(path) {
			path = filepath.Join(root, path)
		}
		if err := hashTree(h, path); err != nil {
			return "", fmt.Errorf("read %s: %w", input, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// hashTree hashes a file, or a folder with what is in it, in the order of names.
func hashTree(h io.Writer, top string) error {
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
		fmt.Fprintf(h, "%q %s", rel, info.Mode())
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
