package layer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/deep"
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
	s := summer{ctx: ctx, h: sha256.New()}
	w := deep.Walk{Visit: s.visit, Leave: s.leave}
	if err := w.In(fd); err != nil {
		return "", fmt.Errorf("look at all of %s: %w", root, err)
	}
	return hex.EncodeToString(s.h.Sum(nil)), nil
}

type summer struct {
	ctx context.Context
	h   hash.Hash
	buf []byte
}

func (s *summer) visit(dir int, name string) (enter bool, err error) {
	if err := s.ctx.Err(); err != nil {
		return false, err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return false, err
	}
	s.buf = append(append(s.buf[:0], name...), 0)
	folder, size := st.Mode&unix.S_IFMT == unix.S_IFDIR, st.Size
	if folder {
		size = 0 // the filesystem's own affair
	}
	for _, v := range []int64{int64(st.Mode), int64(st.Uid), int64(st.Gid), int64(st.Rdev), size, unix.TimespecToNsec(st.Mtim)} {
		s.buf = binary.LittleEndian.AppendUint64(s.buf, uint64(v))
	}
	s.h.Write(s.buf)
	return folder, nil
}

// leave tells what is in a folder from what is beside it.
func (s *summer) leave(int, string) error {
	_, err := s.h.Write([]byte{0})
	return err
}
