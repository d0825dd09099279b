package layer

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider/lxc/deep"
)

// DiskUse returns how many bytes of disk a tree uses; none for one that is not
// there. A box may be changing it: no link is followed, and what vanishes, or
// cannot be looked at, is left out.
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
	w := deep.Walk{Visit: c.visit, Lenient: true}
	if err := w.In(fd); err != nil {
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

func (c *counter) visit(dir int, name string) (enter bool, err error) {
	var st unix.Stat_t
	if unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Nlink > 1 && c.seen[st.Ino] {
		return false, c.ctx.Err()
	}
	c.size += st.Blocks * 512
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return true, c.ctx.Err()
	}
	if st.Nlink > 1 {
		c.seen[st.Ino] = true
	}
	return false, c.ctx.Err()
}
