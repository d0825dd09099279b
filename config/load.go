package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hashicorp/hcl/v2"
)

// ErrNoEnvfile means that neither a folder nor any above it holds an Envfile.
var ErrNoEnvfile = errors.New("no Envfile found")

// maxFile is the size in bytes up to which a file is read.
const maxFile = 1 << 20

// Find returns the path of the nearest Envfile, in dir or in a folder above it.
// The error wraps [ErrNoEnvfile] when there is none.
func Find(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find Envfile: %w", err)
	}
	for d := abs; ; d = filepath.Dir(d) {
		path := filepath.Join(d, FileName)
		info, err := os.Stat(path)
		switch {
		case err == nil && info.Mode().IsRegular():
			return path, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
			return "", fmt.Errorf("find Envfile: %w", err)
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("%w in %s or any folder above it%s; `berth init` writes one", ErrNoEnvfile, abs, mistaken(abs))
		}
	}
}

// mistaken says what in a folder may be meant for an Envfile and is none. It
// begins with a space or is empty.
func mistaken(dir string) string {
	path := filepath.Join(dir, FileName)
	switch info, err := os.Lstat(path); {
	case err != nil:
	case info.IsDir():
		return fmt.Sprintf(" (%s is a folder)", path)
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Sprintf(" (%s is a link that leads to no file)", path)
	default:
		return fmt.Sprintf(" (%s is not a regular file)", path)
	}
	entries, _ := os.ReadDir(dir) // what cannot be read has nothing to say
	for _, e := range entries {
		if strings.EqualFold(strings.TrimSuffix(e.Name(), ".hcl"), FileName) && !e.IsDir() {
			return fmt.Sprintf(" (%s would have to be named %s)", filepath.Join(dir, e.Name()), FileName)
		}
	}
	return ""
}

// Load reads the Envfile at path, the Envfile.local beside it and the user's
// file, and parses them. It always returns an Envfile, which holds the files
// for [WriteDiagnostics]; use the rest of it only when there are no errors.
func Load(path string, o Options) (*Envfile, hcl.Diagnostics) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return &Envfile{Path: path}, hcl.Diagnostics{unreadable(path, err)}
	}
	root := filepath.Dir(abs)

	var sources []Source
	var diags hcl.Diagnostics
	read := func(name string, layer Layer) {
		src, err := readFile(name)
		switch {
		case err == nil:
			sources = append(sources, Source{Name: name, Bytes: src, Layer: layer})
		case errors.Is(err, fs.ErrNotExist) && layer != LayerProject:
		default:
			diags = append(diags, unreadable(name, err))
		}
	}
	if o.User != "" && filepath.Clean(o.User) != abs { // the user's file can be the one at hand
		read(o.User, LayerUser)
	}
	read(path, LayerProject)
	read(filepath.Join(filepath.Dir(path), LocalFileName), LayerLocal)

	if diags.HasErrors() {
		// Without one of the files every name it declares would look wrong.
		files, more := parseSources(sources)
		return &Envfile{Path: path, Root: root, Files: byName(files)}, append(diags, more...)
	}
	return Parse(sources, root, o)
}

// readFile reads a regular file of at most maxFile bytes.
func readFile(path string) ([]byte, error) {
	// Opening a named pipe would block until someone writes to it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, pathless(err)
	}
	defer f.Close()
	return readRegular(f)
}

func readRegular(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, pathless(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, pathless(err)
	}
	if len(src) > maxFile {
		return nil, errTooLarge
	}
	return src, nil
}

var errTooLarge = errors.New("it is larger than 1 MiB")

// pathless drops operation and path, which the caller's message names already.
func pathless(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

func unreadable(name string, err error) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Unreadable file",
		Detail:   fmt.Sprintf("%s could not be read: %s.", name, err),
		Subject:  &hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos},
	}
}
