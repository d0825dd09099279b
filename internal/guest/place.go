package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// nameOnHost is the name under which from of the box goes into a folder of the
// host. It is the one that was typed: what the box says its name is could be
// ".ssh" or "..". Only "~", "/" and what ends in ".." have none, and then the
// box's word is taken for no hidden name, as no home has one.
func (t *transfer) nameOnHost(ctx context.Context, from string) (string, error) {
	name := path.Base(path.Clean(from))
	if isName(name) {
		return name, nil
	}
	real, err := t.RealPath(from)
	if err != nil {
		return "", t.explain(ctx, from, err)
	}
	if name = path.Base(real); !isName(name) || name[0] == '.' {
		return "", fmt.Errorf("the box calls it %q, which is no name for it here: write its path in the box with its name, or \"/.\" at its end for its content", real)
	}
	return name, nil
}

// isName tells a name in a folder from what leads elsewhere.
func isName(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/\x00")
}

// single copies one file of the box to dst on the host, or into the folder dst.
// What is there already and is no plain file is written into, as cp does: a
// device must stay one, and a link too. The box may have put a link there, in a
// folder that it shares: where a link leads out of its folder, it is followed only
// if a person has typed its name just now.
func (t *transfer) single(ctx context.Context, from, dst string, mode fs.FileMode, typed bool) error {
	if !mode.IsRegular() {
		return fmt.Errorf("%s in the box is a %s, and only files, folders and links can be copied", from, kind(mode))
	}
	dir, name := filepath.Dir(dst), filepath.Base(dst)
	st, err := os.Stat(dst)
	inFolder := err == nil && st.IsDir() || strings.HasSuffix(dst, "/")
	if inFolder {
		dir = dst
		if name, err = t.nameOnHost(ctx, from); err != nil {
			return err
		}
	}
	root, err := openRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	there, err := root.Lstat(name)
	switch {
	case err != nil || there.Mode().IsRegular():
		return (&download{transfer: t, root: root}).file(ctx, from, name, mode)
	case there.IsDir():
		return fmt.Errorf("there is a folder named %s in %s", name, dir)
	case typed && !inFolder:
		return t.into(ctx, from, func() (*os.File, error) { return openThere(dst) })
	}
	return t.into(ctx, from, func() (*os.File, error) { return openInside(root, name, typed) })
}

// intoFlags open what must be there.
const intoFlags = os.O_WRONLY | os.O_TRUNC

func openThere(dst string) (*os.File, error) {
	st, err := os.Stat(dst)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		target, _ := os.Readlink(dst) // only to say more
		return nil, fmt.Errorf("%s is a link to %s, which does not exist: remove the link, or make what it names", dst, target)
	case err == nil && st.Mode()&fs.ModeSocket != 0:
		return nil, fmt.Errorf("%s is a socket, which no file can be written to: name another target", dst)
	}
	return os.OpenFile(dst, intoFlags, 0)
}

func openInside(root *os.Root, name string, typed bool) (*os.File, error) {
	f, err := root.OpenFile(name, intoFlags, 0)
	if err == nil {
		return f, nil
	}
	st, statErr := root.Lstat(name)
	if statErr != nil || st.Mode()&fs.ModeSymlink == 0 {
		return nil, err
	}
	p, help := filepath.Join(root.Name(), name), "remove it"
	if typed {
		help += ", or write " + p + " as the target"
	}
	return nil, fmt.Errorf("%s is a link that cannot be followed inside %s (%w): %s", p, root.Name(), pathless(err), help)
}

// into writes a file of the box into one that is there. A named pipe may keep
// both its opening and a write for ever, so ctx's end is waited for as well.
func (t *transfer) into(ctx context.Context, from string, open func() (*os.File, error)) error {
	r, err := t.Open(from)
	if err != nil {
		return t.explain(ctx, from, err)
	}
	defer r.Close()
	w, err := openWithin(ctx, open)
	if err != nil {
		return err
	}
	defer w.Close()
	defer context.AfterFunc(ctx, func() { w.Close() })()
	err = (&download{transfer: t}).receive(ctx, r, w, from)
	if err == nil {
		err = w.Close()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// openWithin opens a file as long as ctx lasts.
func openWithin(ctx context.Context, open func() (*os.File, error)) (*os.File, error) {
	type result struct {
		f   *os.File
		err error
	}
	done := make(chan result, 1)
	go func() {
		f, err := open()
		done <- result{f, err}
	}()
	select {
	case r := <-done:
		return r.f, r.err
	case <-ctx.Done():
		go func() { // whoever comes to read it later finds its end
			if r := <-done; r.err == nil {
				r.f.Close()
			}
		}()
		return nil, ctx.Err()
	}
}
