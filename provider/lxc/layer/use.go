package layer

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// DiskUse returns how many bytes of disk a tree uses; none for one that is not
// there. A box may be changing it: no link is followed, and what vanishes is left
// out.
func DiskUse(ctx context.Context, dir string) (int64, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look at what %s uses: %w", dir, err)
	}
	defer unix.Close(fd)
	c := counter{ctx: ctx, seen: map[uint64]bool{}}
	if err := c.folder(fd); err != nil {
		return 0, fmt.Errorf("look at what %s uses: %w", dir, err)
	}
	return c.size, nil
}

// counter adds up the blocks of files, of those with several names once.
type counter struct {
	ctx  context.Context
	seen map[uint64]bool
	size int64
}

func (c *counter) folder(fd int) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	names, err := namesIn(fd)
	if err != nil {
		return err
	}
	for _, name := range names {
		var st unix.Stat_t
		if unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Nlink > 1 && c.seen[st.Ino] {
			continue
		}
		c.size += st.Blocks * 512
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			if st.Nlink > 1 {
				c.seen[st.Ino] = true
			}
			continue
		}
		sub, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		err = c.folder(sub)
		unix.Close(sub)
		if err != nil {
			return err
		}
	}
	return nil
}
