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

	"golang.org/x/sync/errgroup"

	"github.com/berth-dev/berth/provisioner"
)

// uploads is how many files are under way at once. sftp-server works through
// requests one by one, so this only hides the time between them.
const uploads = 32

// Upload copies src of the host to dst in the box.
func (b *box) Upload(ctx context.Context, src, dst string, o provisioner.FileOptions) error {
	if err := b.upload(ctx, src, dst, o); err != nil {
		return fmt.Errorf("upload %s to %s: %w", src, dst, err)
	}
	return nil
}

func (b *box) upload(ctx context.Context, src, dst string, o provisioner.FileOptions) error {
	info, err := os.Stat(src)
	if err != nil {
		return err
	}
	to, err := homePath(dst)
	if err != nil {
		return err
	}
	own, err := b.resolveOwner(ctx, o)
	if err != nil {
		return err
	}
	t, err := b.client.transfer(ctx, o.Root || own != nil)
	if err != nil {
		return err
	}
	defer t.close()
	u := &upload{transfer: t, owner: own, mode: o.Mode.Perm()}
	if info.IsDir() {
		return u.folder(ctx, src, path.Clean(to))
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is a %s, and only files, folders and links can be copied", src, kind(info.Mode()))
	}
	if st, err := t.Stat(to); err == nil && st.IsDir() || strings.HasSuffix(dst, "/") {
		to = path.Join(to, filepath.Base(src))
	}
	to = path.Clean(to)
	if err := u.parents(path.Dir(to)); err != nil {
		return t.explain(ctx, path.Dir(to), err)
	}
	return u.file(ctx, src, to, info.Mode())
}

type upload struct {
	*transfer
	owner *owner
	mode  fs.FileMode // of files; 0 keeps each one's own
}

// parents makes a folder and those above it, as mkdir -p would.
func (u *upload) parents(dir string) error {
	if st, err := u.Stat(dir); err == nil {
		if !st.IsDir() {
			return errors.New("it is not a folder")
		}
		return nil
	}
	if up := path.Dir(dir); up != dir {
		if err := u.parents(up); err != nil {
			return err
		}
	}
	_, err := u.mkdir(dir, 0o755)
	return err
}

// mkdir makes a folder and tells whether it is new.
func (u *upload) mkdir(dir string, mode fs.FileMode) (bool, error) {
	if err := u.Mkdir(dir); err != nil {
		if st, err := u.Stat(dir); err == nil && st.IsDir() {
			return false, nil
		}
		return false, err
	}
	if u.owner != nil {
		if err := u.Chown(dir, u.owner.uid, u.owner.gid); err != nil {
			return false, err
		}
	}
	return true, u.Chmod(dir, mode)
}

// folder copies the content of a folder. Folders that are there already keep
// their owners and modes; new ones get theirs last, as they may forbid writing.
func (u *upload) folder(ctx context.Context, src, dst string) error {
	if err := u.parents(dst); err != nil {
		return u.explain(ctx, dst, err)
	}
	type made struct {
		dir  string
		mode fs.FileMode
	}
	var fresh []made
	jobs, jobCtx := errgroup.WithContext(ctx)
	jobs.SetLimit(uploads)
	err := filepath.WalkDir(src, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if jobCtx.Err() != nil {
			return jobCtx.Err()
		}
		rel, err := filepath.Rel(src, name)
		if err != nil || rel == "." {
			return err
		}
		to := path.Join(dst, filepath.ToSlash(rel))
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			isNew, err := u.mkdir(to, 0o700)
			if isNew {
				fresh = append(fresh, made{to, info.Mode().Perm()})
			}
			return u.explain(ctx, to, err)
		case d.Type() == fs.ModeSymlink:
			return u.link(ctx, name, to)
		case d.Type().IsRegular():
			jobs.Go(func() error { return u.file(ctx, name, to, info.Mode()) })
			return nil
		}
		return fmt.Errorf("%s is a %s, and only files, folders and links can be copied", name, kind(d.Type()))
	})
	// The walk ends with the context of the jobs when one has failed: its error counts.
	if jobErr := jobs.Wait(); jobErr != nil {
		return jobErr
	}
	if err != nil {
		return err
	}
	for i := len(fresh) - 1; i >= 0; i-- {
		if err := u.Chmod(fresh[i].dir, fresh[i].mode); err != nil {
			return u.explain(ctx, fresh[i].dir, err)
		}
	}
	return nil
}

// file puts one file into its place under a temporary name first, so that nobody
// in the box sees half of it, and a program that runs can be replaced.
func (u *upload) file(ctx context.Context, src, dst string, mode fs.FileMode) error {
	f, err := os.Open(src)
	if err != nil {
		return err
	}
	defer f.Close()
	if u.mode != 0 {
		mode = u.mode
	}
	temp := u.temp(dst)
	if err := u.write(f, temp, mode.Perm()); err != nil {
		u.Remove(temp)
		var host *fs.PathError
		if errors.As(err, &host) && host.Path == src {
			return err
		}
		return u.explain(ctx, dst, err)
	}
	if err := u.PosixRename(temp, dst); err != nil {
		err = u.explain(ctx, dst, err)
		u.Remove(temp)
		return err
	}
	return nil
}

func (u *upload) write(f *os.File, temp string, mode fs.FileMode) error {
	w, err := u.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	// Before there is anything to read in it. chown clears mode bits.
	if u.owner != nil {
		err = w.Chown(u.owner.uid, u.owner.gid)
	}
	if err == nil {
		err = w.Chmod(mode)
	}
	if err == nil {
		_, err = w.ReadFrom(countedFile{f, u.transfer})
	}
	return errors.Join(err, w.Close())
}

// countedFile is a file of the host whose content is counted. It is a file to
// sftp as well, which looks for its size.
type countedFile struct {
	*os.File
	t *transfer
}

func (c countedFile) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	c.t.count(n)
	return n, err
}

// link copies a symbolic link.
func (u *upload) link(ctx context.Context, src, dst string) error {
	target, err := os.Readlink(src)
	if err != nil {
		return err
	}
	temp := u.temp(dst)
	err = u.Symlink(target, temp)
	if err == nil {
		err = u.PosixRename(temp, dst)
	}
	if err != nil {
		err = u.explain(ctx, dst, err)
		u.Remove(temp)
	}
	return err
}

// kind names what is no file, folder or link.
func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}
