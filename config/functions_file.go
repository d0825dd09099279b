package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// fileFunction returns file(path): the text of a file of the project. A cloned
// project must not read what lies beside it, so the path cannot leave the
// folder, not even by a symbolic link.
func fileFunction(root string) function.Function {
	return stringFunction("path", func(path string) (string, error) {
		src, err := readBeneath(root, path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("there is no file %s in the project's folder", path)
		case err != nil:
			return "", fmt.Errorf("%s cannot be read: %w", path, err)
		case !utf8.Valid(src):
			return "", fmt.Errorf("%s is not UTF-8 text", path)
		}
		return string(src), nil
	})
}

// fileExistsFunction returns fileexists(path), which is true for a regular
// file of the project.
func fileExistsFunction(root string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := args[0].AsString()
			r, rel, err := openRoot(root, path)
			if err != nil {
				return cty.DynamicVal, function.NewArgError(0, fmt.Errorf("%s cannot be looked for: %w", path, err))
			}
			defer r.Close()
			info, err := r.Stat(rel)
			switch {
			case err == nil:
				return cty.BoolVal(info.Mode().IsRegular()), nil
			case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
				return cty.False, nil
			}
			return cty.DynamicVal, function.NewArgError(0, fmt.Errorf("%s cannot be looked for: %w", path, pathless(err)))
		},
	})
}

var errOutside = errors.New("it is outside the project's folder")

func readBeneath(root, path string) ([]byte, error) {
	r, rel, err := openRoot(root, path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := r.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, pathless(err)
	}
	defer f.Close()
	return readRegular(f)
}

// openRoot opens the project's folder and returns path relative to it.
func openRoot(root, path string) (*os.Root, string, error) {
	if root == "" {
		return nil, "", errors.New("there is no project folder")
	}
	rel := path
	if filepath.IsAbs(path) {
		var err error
		if rel, err = filepath.Rel(root, path); err != nil {
			return nil, "", errOutside
		}
	}
	if !filepath.IsLocal(rel) {
		return nil, "", errOutside
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, "", pathless(err)
	}
	return r, rel, nil
}
