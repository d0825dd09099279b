package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/deep"
	"github.com/berth-dev/berth/provider/lxc/layer"
)

// diskArg is where the Envfile has the limit.
const diskArg = "box.resources.disk"

// ext4 divides a disk into groups of 128 MiB, and neither mkfs.ext4 nor growing
// makes a last one that would hold little more than what describes it: up to 9 MiB,
// as it happens. Without leastGroup such a disk would never have the size that it
// is to have, and be moved to another at every start.
const (
	diskGroup  = 128 << 20
	leastGroup = 16 << 20
)

// diskSize is the size of a disk that is limited to so many bytes; 0 is no limit.
func diskSize(limit int64) int64 {
	if rest := limit % diskGroup; limit > diskGroup && rest < leastGroup {
		limit -= rest
	}
	return limit / loopBlock * loopBlock
}

// wantedDisk returns the size that the box's disk is to have on this host, 0 for
// no limit. A limit that cannot be kept is an error, or a warning if the box may
// do without.
func (p *lxcProvider) wantedDisk(r provider.Resources) (size int64, warning string, err error) {
	if r.Disk == 0 {
		return 0, "", nil
	}
	err = p.mode.limitsDisks()
	switch {
	case err == nil:
		return diskSize(r.Disk), "", nil
	case r.DiskOptional:
		return 0, fmt.Sprintf("its disk is not limited, as disk_enforce = false allows: %v", err), nil
	}
	return 0, "", &provider.ArgError{Arg: diskArg, Err: fmt.Errorf("%w; with disk_enforce = false the box does without the limit", err)}
}

// errUserDisk: loop devices, and quotas too (quotactl(2)), are the host's root's.
var errUserDisk = errors.New("the disk of a box without root cannot be limited: " +
	"only root may mount a filesystem of its own (sudo berth up makes a box that has one)")

// canMakeImages says what the host lacks for disks of limited size.
func canMakeImages() error {
	if _, err := mkfsProgram(); err != nil {
		return err
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return errors.New("this host has no loop devices (/dev/loop-control), which disks of limited size need: modprobe loop")
	}
	return nil
}

// fitDisk gives a stopped box the disk that spec asks for, with all that is on the
// one it has.
func (p *lxcProvider) fitDisk(ctx context.Context, r *record, spec provider.Spec, report provider.Report) error {
	want, warning, err := p.wantedDisk(spec.Resources)
	if err != nil {
		return err
	}
	if warning != "" {
		report.Warn(warning)
	}
	if err := deep.Remove(p.store.file(r.ID, "disk-new")); err != nil { // of a move that was killed
		return err
	}
	dir := p.store.file(r.ID, "disk")
	have, err := imageSize(dir)
	switch {
	case err != nil:
		return err
	case diskSize(have) == want: // it can be a little larger, of an older Berth
		return nil
	case have > 0 && want > have:
		if err := growOwn(dir, want); !errors.Is(err, unix.EPERM) {
			return err
		}
	}
	return p.moveDisk(ctx, r, want, report)
}

// moveDisk gives the box another disk with the same files. What is killed is done
// again, or finished as a restore is.
func (p *lxcProvider) moveDisk(ctx context.Context, r *record, size int64, report provider.Report) error {
	from, err := openOwn(p.store.file(r.ID, "disk"))
	if err != nil {
		return err
	}
	defer from.close()
	if size > 0 {
		if err := p.fits(ctx, from, size); err != nil {
			return err
		}
	}
	report.Step("move the files to a disk of another size")
	err = p.exchangeDisk(r, r.Layers, func(dir string) error {
		to, err := makeOwn(ctx, dir, size)
		if err != nil {
			return err
		}
		defer to.close()
		if err := p.copyUpper(ctx, from, to); err != nil {
			return err
		}
		return syncTree(to.upper())
	})
	if errors.Is(err, unix.ENOSPC) {
		err = errors.Join(err, errors.New("what the box has does not fit on a disk of that size, or the host's disk is full"))
	}
	if err != nil {
		return &provider.ArgError{Arg: diskArg, Err: fmt.Errorf("move the box's files to a disk of %s: %w", sizeOrNone(size), err)}
	}
	return nil
}

// fits refuses a size that the box's files do not fit into.
func (p *lxcProvider) fits(ctx context.Context, o own, size int64) error {
	used, err := layer.DiskUse(ctx, o.upper())
	if err != nil {
		return err
	}
	if used+hostReserve <= size {
		return nil
	}
	return &provider.ArgError{Arg: diskArg, Err: fmt.Errorf(
		"the box uses %d MiB of its disk, which do not fit into %s: remove some in the box, or set a higher limit", used>>20, sizeOrNone(size))}
}

func sizeOrNone(size int64) string {
	if size == 0 {
		return "unlimited size"
	}
	return strconv.FormatInt(size>>20, 10) + " MiB"
}

// copyUpper copies all that a stopped box has.
func (p *lxcProvider) copyUpper(ctx context.Context, from, to own) error {
	out, err := os.Open(to.upper())
	if err != nil {
		return err
	}
	defer out.Close()
	w := layer.Writer{Attrs: p.overlayAttrs()}
	_, err = w.Look(ctx, from.upper(), int(out.Fd()), nil, true)
	return err
}

// checkDisk reads back from the running box how large its disk is. A filesystem
// shows a little less than what holds it.
func (p *lxcProvider) checkDisk(r record, pid int) error {
	want, err := imageSize(p.store.file(r.ID, "disk"))
	if err != nil || want == 0 {
		return err
	}
	var st unix.Statfs_t
	if err := unix.Statfs("/proc/"+strconv.Itoa(pid)+"/root", &st); err != nil {
		return fmt.Errorf("read the size of the box's disk back: %w", err)
	}
	if found := int64(st.Blocks) * st.Bsize; found > want || found < want/2 {
		return &provider.ArgError{Arg: diskArg, Err: fmt.Errorf("wanted a disk of %d bytes, but the box has one of %d", want, found)}
	}
	return nil
}

// resizeDisk makes the disk of a running box larger.
func (p *lxcProvider) resizeDisk(id string, r provider.Resources, apply bool) error {
	dir := p.store.file(id, "disk")
	have, err := imageSize(dir)
	want := diskSize(r.Disk)
	switch {
	case err != nil:
		return err
	case want == diskSize(have), have == 0 && r.DiskOptional:
		return nil
	case have == 0 || want < have:
		return &provider.ArgError{Arg: diskArg, Err: errors.New("while the box runs, a limit of its disk can only become larger: berth reload applies it")}
	case !apply:
		return nil
	}
	err = growOwn(dir, want)
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (berth reload moves the box's files to a larger one): %w", err, provider.ErrUnsupported)
	case err != nil:
		return &provider.ArgError{Arg: diskArg, Err: err}
	}
	return nil
}
