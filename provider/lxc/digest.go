package lxc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"golang.org/x/sys/unix"
)

// treeDigest returns the sha256 of a tree and the bytes in its files. Two trees
// have the same digest when they have the same paths with the same types,
// modes, ids, extended attributes, links and contents; times do not count.
func treeDigest(ctx context.Context, root string) (digest string, size int64, err error) {
	h := sha256.New()
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return fmt.Errorf("look at %s: %w", path, err)
		}
		rel, _ := filepath.Rel(root, path)
		fmt.Fprintf(h, "%q %o %d:%d %d", rel, st.Mode, st.Uid, st.Gid, st.Rdev)
		if err := hashXattrs(h, path); err != nil {
			return err
		}
		switch e.Type() {
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(h, " -> %q", target)
		case 0:
			sum, err := fileSum(path)
			if err != nil {
				return err
			}
			size += st.Size
			fmt.Fprintf(h, " %x", sum)
		}
		fmt.Fprintln(h)
		return nil
	})
	if err != nil {
		return "", 0, fmt.Errorf("compute the digest of %s: %w", root, err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

func fileSum(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// hashXattrs adds the extended attributes, sorted; file capabilities are one.
func hashXattrs(w io.Writer, path string) error {
	buf := make([]byte, 64<<10) // XATTR_LIST_MAX, xattr(7)
	n, err := unix.Llistxattr(path, buf)
	if errors.Is(err, unix.ENOTSUP) || n == 0 && err == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list extended attributes of %s: %w", path, err)
	}
	var names []string
	for rest := buf[:n]; len(rest) > 0; {
		name := unix.ByteSliceToString(rest)
		names = append(names, name)
		rest = rest[len(name)+1:]
	}
	sort.Strings(names)
	value := make([]byte, 64<<10)
	for _, name := range names {
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return fmt.Errorf("read extended attribute %s of %s: %w", name, path, err)
		}
		fmt.Fprintf(w, " %s=%x", name, value[:n])
	}
	return nil
}

// syncTree makes sure that a tree is on the disk before it gets its final name.
func syncTree(root string) error {
	f, err := os.Open(root)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("sync %s: %w", root, err)
	}
	return nil
}
