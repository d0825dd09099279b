package lxc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// inMerged calls f with a folder that shows what layers, topmost first, are
// together, with the ids that they have on disk. It is mounted in a namespace of
// the calling thread, so whatever is killed, nothing stays mounted.
func (p *lxcProvider) inMerged(layers []string, f func(root string) error) error {
	if err := os.MkdirAll(stage, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make %s: %w", stage, err)
	}
	return onOwnThread(func() error {
		if err := p.mountMerged(layers); err != nil {
			return err
		}
		return f(stageRootfs)
	})
}

func (p *lxcProvider) mountMerged(layers []string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("detach from the host's mounts: %w", err)
	}
	if err := unix.Mount("tmpfs", stage, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700,size=1m"); err != nil {
		return fmt.Errorf("mount a tmpfs on %s: %w", stage, err)
	}
	var lower []string
	for i, dir := range layers {
		at := filepath.Join(stage, "layer"+strconv.Itoa(i))
		if err := mountMapped(dir, at, nil, unix.MOUNT_ATTR_RDONLY); err != nil {
			return err
		}
		lower = append(lower, at)
	}
	if err := os.Mkdir(stageRootfs, 0o755); err != nil {
		return err
	}
	data := "lowerdir=" + strings.Join(lower, ":") + ",redirect_dir=nofollow,metacopy=off,index=off"
	if strings.HasPrefix(p.overlayAttrs(), "user.") {
		data += ",userxattr"
	}
	flags := uintptr(unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("overlay", stageRootfs, "overlay", flags, data); err != nil {
		return fmt.Errorf("mount overlay (%s) on %s: %w", data, stageRootfs, err)
	}
	return nil
}
