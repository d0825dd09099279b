package layer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"

	"golang.org/x/sys/unix"
)

// Sum returns the sha256 of a tree's names, types, ids, modes, sizes and
// times of change of content. It is the price of a look at every file, and finds
// what is missing, cut short or written to; that a disk has given back other
// bytes it does not.
func Sum(ctx context.Context, root string) (string, error) {
	fd, err := unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", root, err)
	}
	defer unix.Close(fd)
	h := sha256.New()
	if err := sumFolder(ctx, h, fd); err != nil {
		return "", fmt.Errorf("look at all of %s: %w", root, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func sumFolder(ctx context.Context, h hash.Hash, dir int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	names, err := namesIn(dir)
	if err != nil {
		return err
	}
	var buf []byte
	for _, name := range names {
		var st unix.Stat_t
		if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		buf = append(append(buf[:0], name...), 0)
		size := st.Size
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			size = 0 // the filesystem's own affair
		}
		for _, v := range []int64{int64(st.Mode), int64(st.Uid), int64(st.Gid), int64(st.Rdev), size, unix.TimespecToNsec(st.Mtim)} {
			buf = binary.LittleEndian.AppendUint64(buf, uint64(v))
		}
		h.Write(buf)
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		sub, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		err = sumFolder(ctx, h, sub)
		unix.Close(sub)
		if err != nil {
			return err
		}
		h.Write([]byte{0})
	}
	return nil
}
