package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provider/lxc/archive"
)

// Package writes the box's whole disk, its image's files included, into a file:
// an archive needs nothing of the host that it goes to. What the box has beyond
// its layers is kept as for a checkpoint, but without a record, so that nothing
// is left of it.
func (p *lxcProvider) Package(ctx context.Context, id, file string, report provider.Report) error {
	r, pid, err := p.keepable(ctx, id)
	if err != nil {
		return err
	}
	report.Step("keep the disk")
	if err := p.packageBox(ctx, r, pid, file, report); err != nil {
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			err = fmt.Errorf("%w\nThe disk is full: free some space (berth gc, berth df), or write the file elsewhere", err)
		}
		return fmt.Errorf("package box %s: %w", id, err)
	}
	return nil
}

func (p *lxcProvider) packageBox(ctx context.Context, r record, pid int, file string, report provider.Report) error {
	l, err := p.store.newLayer()
	if err != nil {
		return err
	}
	defer l.close() // which removes it
	if _, err := p.lookTwice(ctx, p.boxWriter(), r, l, pid, report); err != nil {
		return err
	}
	out, err := os.OpenFile(file, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open the file to write: %w", err)
	}
	defer out.Close()
	layers := []string{l.path}
	for _, name := range r.Layers {
		layers = append(layers, p.store.layer(name))
	}
	report.Step("write the files")
	meta := archive.Meta{Arch: runtime.GOARCH, Box: r.Name, Image: r.Image, Created: time.Now().UTC()}
	if err := p.inMerged(layers, func(root string) error { return archive.Write(ctx, out, root, meta, packed) }); err != nil {
		return err
	}
	return out.Close()
}

// packed says what does not go into an archive: what is personal, but for files
// that every image has and that every box gets anew, which are empty in it.
func packed(rel string) (leaveOut, empty bool) {
	switch rel {
	case "etc/machine-id", "etc/hostname", "etc/resolv.conf":
		return false, true
	}
	return isPersonal(path.Clean(rel)), false
}
