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

// CopyOptions say how CopyTo and CopyFrom go about it.
type CopyOptions struct {
	Root   bool                    // in the box, as root instead of the login user
	Copied func(done, total int64) // told of progress in bytes, by several goroutines; total is 0 when it is not known; may be nil
}

// CopyTo copies a file or folder of the host into the box, as cp -R would: into
// dst if that is a folder or ends in "/", else as dst. What ends in "/." is
// the content of a folder.
func (c *Client) CopyTo(ctx context.Context, src, dst string, o CopyOptions) error {
	if err := c.copyTo(ctx, src, dst, o); err != nil {
		return fmt.Errorf("copy %s to %s in the box: %w", src, orHome(dst), err)
	}
	return nil
}

func (c *Client) copyTo(ctx context.Context, src, dst string, o CopyOptions) error {
	info, err := os.Stat(src)
	if err != nil {
		return pathless(err)
	}
	to, err := homePath(orHome(dst))
	if err != nil {
		return err
	}
	t, err := c.transfer(ctx, o.Root)
	if err != nil {
		return err
	}
	defer t.close()
	if o.Copied != nil {
		t.copied = progress(o.Copied, sizeOf(src))
	}
	if st, err := t.Stat(to); (err == nil && st.IsDir() || strings.HasSuffix(dst, "/")) && !isContent(src) {
		abs, err := filepath.Abs(src)
		if err != nil {
			return err
		}
		to = path.Join(to, filepath.Base(abs))
	}
	to = path.Clean(to)
	u := &upload{transfer: t}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return fmt.Errorf("it is a %s, and only files, folders and links can be copied", kind(info.Mode()))
		}
		if err := u.parents(path.Dir(to)); err != nil {
			return t.explain(ctx, path.Dir(to), err)
		}
		return u.file(ctx, src, to, info.Mode())
	}
	_, err = t.Stat(to)
	isNew := err != nil
	if err := u.folder(ctx, src, to); err != nil {
		return err
	}
	if isNew {
		return t.explain(ctx, to, t.Chmod(to, info.Mode().Perm()))
	}
	return nil
}

// CopyFrom copies a file or folder of the box to the host in the same way. The
// box is not trusted: no name and no link in it leads out of dst.
func (c *Client) CopyFrom(ctx context.Context, src, dst string, o CopyOptions) error {
	if err := c.copyFrom(ctx, src, dst, o); err != nil {
		return fmt.Errorf("copy %s of the box to %s: %w", orHome(src), dst, err)
	}
	return nil
}

func (c *Client) copyFrom(ctx context.Context, src, dst string, o CopyOptions) error {
	from, err := homePath(orHome(src))
	if err != nil {
		return err
	}
	t, err := c.transfer(ctx, o.Root)
	if err != nil {
		return err
	}
	defer t.close()
	st, err := t.Stat(from)
	if err != nil {
		return t.explain(ctx, from, err)
	}
	if o.Copied != nil {
		total := int64(0)
		if !st.IsDir() {
			total = st.Size()
		}
		t.copied = progress(o.Copied, total)
	}
	if !st.IsDir() {
		return t.single(ctx, from, dst, st.Mode(), true)
	}
	if to, err := os.Stat(dst); (err == nil && to.IsDir() || strings.HasSuffix(dst, "/")) && !isContent(src) {
		name, err := t.nameOnHost(ctx, from)
		if err != nil {
			return err
		}
		dst = filepath.Join(dst, name)
	}
	_, err = os.Lstat(dst)
	isNew := err != nil
	root, err := openRoot(dst)
	if err != nil {
		return err
	}
	defer root.Close()
	d := &download{transfer: t, root: root}
	if err := d.folder(ctx, path.Clean(from), ".", 0); err != nil {
		return err
	}
	if isNew {
		return root.Chmod(".", st.Mode().Perm())
	}
	return nil
}

func openRoot(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}

// orHome makes an empty path of the box its login user's home, as for scp.
func orHome(p string) string {
	if p == "" {
		return "~"
	}
	return p
}

// isContent reports whether a path means what is in a folder.
func isContent(p string) bool { return p == "." || strings.HasSuffix(p, "/.") }

// pathless drops operation and path, which the caller's message names already.
func pathless(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
