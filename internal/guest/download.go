package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/pkg/sftp"
)

// maxDepth bounds how deep a folder of the box may go, as a box may make up
// folders without end.
const maxDepth = 200

// Download copies src of the box to dst on the host. The box is not trusted:
// all is written through an os.Root, which no name and no link leads out of.
func (b *box) Download(ctx context.Context, src, dst string) error {
	if err := b.download(ctx, src, dst); err != nil {
		return fmt.Errorf("download %s to %s: %w", src, dst, err)
	}
	return nil
}

func (b *box) download(ctx context.Context, src, dst string) error {
	from, err := homePath(src)
	if err != nil {
		return err
	}
	t, err := b.client.transfer(ctx, false)
	if err != nil {
		return err
	}
	defer t.close()
	st, err := t.Stat(from)
	if err != nil {
		return t.explain(ctx, from, err)
	}
	if !st.IsDir() {
		return t.single(ctx, from, dst, st.Mode(), false)
	}
	root, err := openRoot(dst)
	if err != nil {
		return err
	}
	defer root.Close()
	return (&download{transfer: t, root: root}).folder(ctx, path.Clean(from), ".", 0)
}

type download struct {
	*transfer
	root *os.Root
}

func (d *download) folder(ctx context.Context, src, dst string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s in the box is more than %d folders deep", src, maxDepth)
	}
	entries, err := d.list(ctx, src)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if !isName(name) {
			return fmt.Errorf("%s in the box claims to hold a file named %q", src, name)
		}
		if err := d.entry(ctx, path.Join(src, name), filepath.Join(dst, name), e.Mode(), depth); err != nil {
			return err
		}
	}
	return nil
}

func (d *download) entry(ctx context.Context, src, dst string, mode fs.FileMode, depth int) error {
	switch {
	case mode.IsDir():
		err := d.root.Mkdir(dst, 0o700)
		isNew := err == nil
		if errors.Is(err, fs.ErrExist) {
			var st fs.FileInfo
			if st, err = d.root.Stat(dst); err == nil && !st.IsDir() {
				err = fmt.Errorf("%s on the host is not a folder", dst)
			}
		}
		if err == nil {
			err = d.folder(ctx, src, dst, depth+1)
		}
		if err == nil && isNew {
			err = d.root.Chmod(dst, mode.Perm())
		}
		return err
	case mode.IsRegular():
		return d.file(ctx, src, dst, mode)
	case mode.Type() == fs.ModeSymlink:
		target, err := d.ReadLink(src)
		if err != nil {
			return d.explain(ctx, src, err)
		}
		return d.replace(dst, func(temp string) error { return d.root.Symlink(target, temp) })
	}
	return fmt.Errorf("%s in the box is a %s, and only files, folders and links can be copied", src, kind(mode))
}

// file copies one file and puts it into its place when it is whole.
func (d *download) file(ctx context.Context, src, dst string, mode fs.FileMode) error {
	r, err := d.Open(src)
	if err != nil {
		return d.explain(ctx, src, err)
	}
	defer r.Close()
	return d.replace(dst, func(temp string) error {
		w, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		defer w.Close()
		if err := d.receive(ctx, r, w, src); err != nil {
			return err
		}
		if err := w.Chmod(mode.Perm()); err != nil {
			return err
		}
		return w.Close()
	})
}

// receive tells an error of the box from one of the host.
func (d *download) receive(ctx context.Context, r *sftp.File, w *os.File, src string) error {
	_, err := r.WriteTo(countedWriter{w, d.transfer})
	var host *fs.PathError
	if err == nil || errors.As(err, &host) && host.Path == w.Name() {
		return err
	}
	return d.explain(ctx, src, err)
}

// countedWriter counts what is written to a file of the host.
type countedWriter struct {
	w *os.File
	t *transfer
}

func (c countedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.t.count(n)
	return n, err
}

// replace makes something under a temporary name beside dst and moves it there.
// In a folder that is copied, what is no file and no link stays as it is.
func (d *download) replace(dst string, create func(temp string) error) error {
	const special = fs.ModeDevice | fs.ModeNamedPipe | fs.ModeSocket | fs.ModeIrregular
	if st, err := d.root.Lstat(dst); err == nil && st.Mode()&special != 0 {
		return fmt.Errorf("%s on the host is a %s, and a copy would replace it: remove it, or copy elsewhere", filepath.Join(d.root.Name(), dst), kind(st.Mode()))
	}
	temp := filepath.Join(filepath.Dir(dst), path.Base(d.temp("x")))
	err := create(temp)
	if err == nil {
		err = d.root.Rename(temp, dst)
	}
	if err != nil {
		d.root.Remove(temp)
	}
	return err
}
